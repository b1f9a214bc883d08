"""The engines that read page images; each module imports its own libraries, and only when it is chosen."""

from gpu_worker.engines.null import NullEngine
from gpu_worker.engines.rapidocr import RapidOcrEngine
from shared.config import Settings
from shared.ports.engine import OcrEngine


def engine(settings: Settings) -> OcrEngine:
    """Load the engine that the settings name."""
    if settings.engine == "null":
        return NullEngine()
    if settings.reads_with_vl:
        return _paddleocr_vl(settings)
    return RapidOcrEngine(settings.engine_workers)


def _paddleocr_vl(settings: Settings) -> OcrEngine:
    from gpu_worker.engines.paddleocr_vl import PaddleOcrVlEngine  # noqa: PLC0415 - its libraries come with it
    from gpu_worker.engines.vl.client import VllmClient, VllmSettings  # noqa: PLC0415 - as above

    return PaddleOcrVlEngine(settings, VllmClient(VllmSettings.of(settings)))
