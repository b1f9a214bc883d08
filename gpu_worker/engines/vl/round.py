"""Questions that are asked together, and what came of each."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial

from gpu_worker.engines.vl.client import VllmClient
from gpu_worker.engines.vl.question import Answer, BlockRefused, Question
from gpu_worker.engines.vl.room import Room
from shared.domain.errors import EngineDied


class Round:
    """`answers` and `refused`, by the block's place, and `error`, are complete once `ended` was called: once."""

    def __init__(self, questions: Mapping[int, Question], client: VllmClient, room: Room) -> None:
        self.questions = questions
        self.answers: dict[int, Answer] = {}
        self.refused: dict[int, BlockRefused] = {}
        self.error: BaseException | None = None
        self._client = client
        self._room = room
        self._lock = threading.Lock()
        self._open: dict[int, Future[Answer]] = {}

    def ask(self, ended: Callable[[], None]) -> None:
        """Every future is known before one can end, so that the last to end is known for the last."""
        if not self.questions:
            ended()
            return
        asked = {place: self._client.ask(question) for place, question in self.questions.items()}
        self._open.update(asked)
        for place, future in asked.items():
            future.add_done_callback(partial(self._answered, place, ended))

    def _answered(self, place: int, ended: Callable[[], None], future: Future[Answer]) -> None:
        self._room.answered()
        with self._lock:
            was_well = self.error is None
            self._open.pop(place)
            if not future.cancelled():
                self._keep(place, future)
            is_last = not self._open
            vain = tuple(self._open.values()) if was_well and self.error is not None else ()
        for other in vain:  # by the first error only: each of them comes back here
            other.cancel()
        if is_last:
            ended()

    def _keep(self, place: int, future: Future[Answer]) -> None:
        error = future.exception()
        if error is None:
            self.answers[place] = future.result()
        elif isinstance(error, BlockRefused):
            self.refused[place] = error
        elif self.error is None or isinstance(error, EngineDied):
            self.error = error
