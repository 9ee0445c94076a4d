"""The whole step on the three bundled exposures, from files to the product in memory."""

from __future__ import annotations

from webbweave import ResampleSpecStep
from webbweave.data import example_exposures


class ResampleSpec:
    """Three nods of one prism slitlet."""

    params = ([1, 3], [False, True])
    param_names = ("exposures", "compat")
    timeout = 60

    def setup(self, exposures: int, compat: bool) -> None:
        self.paths = example_exposures()[:exposures]

    def time_call(self, exposures: int, compat: bool) -> None:
        ResampleSpecStep.call(self.paths, compat=compat)

    def peakmem_call(self, exposures: int, compat: bool) -> None:
        ResampleSpecStep.call(self.paths, compat=compat)
