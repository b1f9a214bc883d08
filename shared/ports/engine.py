"""The engine that reads page images."""

from collections.abc import Callable
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
        """How many pages it ever wants in hand at once; more would only wait, and hold memory."""

    def check(self) -> None:
        """Raise EngineUnavailable where it could not read a page now. Asked before pages are taken; takes seconds."""

    def has_room(self, lane: Lane) -> bool:
        """Whether one more page of that lane would be worked on, rather than wait behind what is in hand.

        Pages differ: three blocks or forty. So this changes as pages are taken apart and read. Express may have room
        where bulk has none.
        """

    def on_room(self, wake: Callable[[], None]) -> None:
        """Have `wake` called, from any thread, whenever there may be room again. One listener, set once."""

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[PageRead]:
        """Begin to read one page. The image must stay untouched until the future is done.

        The future raises PageRefused where this page cannot be read (the page fails) and EngineUnavailable where the
        engine cannot work (the page is handed back). Blocks come in reading order, with ids that are unique on the page
        ("b1", "b2", …). Flags are the reading's own; the image's stay the image's.
        """

    def close(self) -> None:
        """End what is running; futures not done raise EngineUnavailable. Idempotent."""
