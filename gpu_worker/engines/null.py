"""An engine that reads nothing: every page is one line of fixed text, at once. For tests and for measuring the rest."""

from collections.abc import Callable
from concurrent.futures import Future

from shared.config import ENGINES
from shared.domain.errors import EngineUnavailable
from shared.domain.options import EngineSettings, Lane, Options
from shared.domain.page import Block, Box, Label, PageImage, PageRead

TEXT = "This page was not read."


class NullEngine:
    def __init__(self) -> None:
        self._closed = False

    @property
    def settings(self) -> EngineSettings:
        return ENGINES["null"]

    @property
    def capacity(self) -> int:
        """Enough that rendering is what others wait for."""
        return 4

    def check(self) -> None:
        """Always there."""

    def has_room(self, lane: Lane) -> bool:
        """Every page costs much the same here: `capacity` says all."""
        del lane
        return True

    def on_room(self, wake: Callable[[], None]) -> None:
        """There always is."""

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[PageRead]:
        """Done when it returns, whatever the options and the lane."""
        del options, lane
        future: Future[PageRead] = Future()
        if self._closed:
            future.set_exception(EngineUnavailable("the engine is closed"))
        else:
            future.set_result(_read(image))
        return future

    def close(self) -> None:
        self._closed = True


def _read(image: PageImage) -> PageRead:
    bbox = Box(x0=0, y0=0, x1=image.width, y1=image.height)
    block = Block(id="b1", label=Label.TEXT, bbox=bbox, content=TEXT, raw=TEXT, confidence=1.0)
    return PageRead(
        blocks=(block,),
        width=image.width,
        height=image.height,
        dpi=image.dpi,
        usage={"seconds": 0.0},
    )
