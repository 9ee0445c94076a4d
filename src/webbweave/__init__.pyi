from webbweave.adaptive_trace_model import AdaptiveTraceModelStep as AdaptiveTraceModelStep
from webbweave.errors import WeaveError as WeaveError
from webbweave.resample import ResampleSpecStep as ResampleSpecStep
from webbweave.slit_combine import SlitGroup as SlitGroup
from webbweave.tweakreg import TweakRegStep as TweakRegStep

__version__: str
__all__: list[str]
