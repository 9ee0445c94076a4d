"""``python -m webbweave``: the command line."""

import sys

from webbweave.cli import main

sys.exit(main())
