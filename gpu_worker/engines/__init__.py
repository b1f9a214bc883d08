"""The engines that read page images; each module imports its own libraries, and only when it is chosen."""

from gpu_worker.engines.null import NullEngine
from gpu_worker.engines.rapidocr import RapidOcrEngine
from shared.config import Settings
from shared.ports.engine import OcrEngine

_ORDINARY_SECONDS = 600.0
"""For a page's turn among the others in hand, its layout, its blocks where nothing is the matter, and its commit."""
_ROUNDS = 2
"""A page's blocks are asked for, and those in doubt once more."""


def engine(settings: Settings) -> OcrEngine:
    """Load the engine that the settings name."""
    if settings.engine == "null":
        return NullEngine()
    if settings.reads_with_vl:
        return _paddleocr_vl(settings)
    return RapidOcrEngine(settings.engine_workers)


def longest_page(settings: Settings) -> float:
    """Return the seconds within which a page in hand ends or is handed back, whatever is the matter with what it asks.

    What takes longer is a bug of ours.
    """
    seconds = _ORDINARY_SECONDS + settings.page_seconds
    if not settings.reads_with_vl:
        return seconds
    from gpu_worker.engines.vl.asking import longest_question  # noqa: PLC0415 - its libraries come with it

    return seconds + _ROUNDS * longest_question(settings.vl_seconds)


def _paddleocr_vl(settings: Settings) -> OcrEngine:
    from gpu_worker.engines.paddleocr_vl import PaddleOcrVlEngine  # noqa: PLC0415 - its libraries come with it
    from gpu_worker.engines.vl.client import VllmClient, VllmSettings  # noqa: PLC0415 - as above

    return PaddleOcrVlEngine(settings, VllmClient(VllmSettings.of(settings)))
