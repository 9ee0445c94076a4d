"""What an import costs, each time in an interpreter of its own."""


class Import:
    """Time until the interpreter is ready; numpy is the yardstick."""

    def timeraw_numpy(self) -> str:
        return "import numpy"

    def timeraw_webbweave(self) -> str:
        return "import numpy, webbweave"

    def timeraw_step(self) -> str:
        return "from webbweave import ResampleSpecStep"
