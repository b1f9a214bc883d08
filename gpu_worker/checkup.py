"""Is the engine there? Asked now and then, and at once when a page says that it is not; pages are taken while it is."""

import logging
from collections.abc import Callable

from shared.consume import Periodic
from shared.domain.errors import EngineUnavailable
from shared.metrics import Metrics
from shared.ports.engine import OcrEngine

log = logging.getLogger(__name__)

_SECONDS = 2.0
_NOT_YET = "the engine was not checked yet"


class Checkup:
    """`changed` is called with what is wrong, nothing where all is well, each time that it is another thing."""

    def __init__(self, engine: OcrEngine, changed: Callable[[str], None], *, metrics: Metrics) -> None:
        self._engine, self._changed, self._metrics = engine, changed, metrics
        self._turns = Periodic("engine-check", self._look, seconds=_SECONDS, metrics=metrics)
        self.trouble = _NOT_YET
        self._is_stopped = False

    def start(self) -> None:
        self._turns.start()
        self._turns.soon()

    def soon(self) -> None:
        """A page found the engine away. Returns at once."""
        self._turns.soon()

    def stop(self) -> None:
        """Does not wait for a check that is under way, whose answer counts no more: the engine may be closed."""
        self._is_stopped = True
        self._turns.stop()

    def _look(self) -> None:
        trouble = "its check crashed"
        try:
            self._engine.check()
            trouble = ""
        except EngineUnavailable as error:
            trouble = str(error)
        finally:
            self._note(trouble)

    def _note(self, trouble: str) -> None:
        """Say so once a change, not once a look; what the trouble is may change its wording meanwhile."""
        if self._is_stopped:
            return
        was, self.trouble = self.trouble, trouble
        self._metrics.engine_ready.set(not trouble)
        if bool(was) == bool(trouble) and was != _NOT_YET:
            return
        if trouble:
            log.warning("the engine is away: no page is taken", extra={"reason": trouble})
        else:
            log.info("the engine is there: pages are taken")
        self._changed(trouble)
