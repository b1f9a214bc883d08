"""The engine that reads page images."""

from concurrent.futures import Future
from typing import Protocol

from shared.domain.options import EngineSettings, Lane, Options
from shared.domain.page import PageImage, PageRead


class OcrEngine(Protocol):
    """Reads pages, several at a time; safe to call from any thread."""

    @property
    def settings(self) -> EngineSettings:
        """What enters the recipe."""

    @property
    def capacity(self) -> int:
        """How many pages it wants in hand at once; more would only wait."""

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[PageRead]:
        """Begin to read one page. The image must stay untouched until the future is done.

        The future raises PageRefused where this page cannot be read (the page fails) and EngineUnavailable where the
        engine cannot work (the page is handed back). Blocks come in reading order, with ids that are unique on the page
        ("b1", "b2", …). Flags are the reading's own; the image's stay the image's.
        """

    def close(self) -> None:
        """End what is running; futures not done raise EngineUnavailable. Idempotent."""
