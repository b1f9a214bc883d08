"""The engines that read page images; each module imports its own libraries, and only when it is chosen."""

from gpu_worker.engines.null import NullEngine
from gpu_worker.engines.rapidocr import RapidOcrEngine
from shared.config import Settings
from shared.ports.engine import OcrEngine


def engine(settings: Settings) -> OcrEngine:
    """Load the engine that the settings name."""
    if settings.engine == "null":
        return NullEngine()
    return RapidOcrEngine(settings.engine_workers)
