"""One page between its layout and its end: its questions, and the one second try of those whose answers are doubted."""

import logging
from collections.abc import Callable, Mapping
from time import perf_counter

from gpu_worker.engines.vl.client import VllmClient
from gpu_worker.engines.vl.labels import label_of
from gpu_worker.engines.vl.page import Sheet, Told, put_together
from gpu_worker.engines.vl.quality import Trouble, second_question, troubles
from gpu_worker.engines.vl.question import Answer, Question
from gpu_worker.engines.vl.room import Room
from gpu_worker.engines.vl.round import Round
from shared.domain.errors import PageRefused
from shared.domain.page import Flag, PageRead

log = logging.getLogger(__name__)

Troubles = tuple[Trouble, ...]


class Reading:
    """Used by one thread at a time: `begin`, then `judge` after each call of `ended`, until that returns the page."""

    def __init__(self, sheet: Sheet, questions: Mapping[int, Question], client: VllmClient, room: Room) -> None:
        self._sheet = sheet
        self._client = client
        self._room = room
        self._first = Round(questions, client, room)
        self._second: Round | None = None
        self._doubts: Mapping[int, Troubles] = {}
        self._began = perf_counter()

    def begin(self, ended: Callable[[], None]) -> None:
        """`ended` is called from any thread."""
        self._first.ask(ended)

    def judge(self, ended: Callable[[], None]) -> PageRead | None:
        """Return the page; None where a second round was begun, and `ended` will be called again.

        Raises EngineUnavailable or EngineDied where the engine went away, PageRefused where it refused every block.
        """
        if self._second is not None:
            return self._page(self._second)
        _check(self._first)
        self._doubts = {place: found for place in self._first.answers if (found := self._troubles(self._first, place))}
        second = Round({place: self._again(place) for place in self._doubts}, self._client, self._room)
        if not second.questions:
            return self._page(second)
        self._second = second
        self._room.asked(len(second.questions))
        second.ask(ended)
        return None

    def _page(self, second: Round) -> PageRead:
        """A block that is refused the second time keeps its first answer."""
        _check(second)
        told = {place: Told(answer=None) for place in self._first.refused}
        for place, answer in self._first.answers.items():
            told[place] = self._told(place, answer, second)
        return put_together(self._sheet, told, self._usage(second))

    def _told(self, place: int, first: Answer, second: Round) -> Told:
        """The second answer stands where less is wrong with it."""
        answer, found = first, self._doubts.get(place, ())
        if place in second.answers:
            still = self._troubles(second, place)
            if len(still) < len(found):
                answer, found = second.answers[place], still
        return Told(answer=answer, flags=tuple(Flag(code=trouble.code, value=trouble.value) for trouble in found))

    def _troubles(self, asked: Round, place: int) -> Troubles:
        cut = self._sheet.cuts[place]
        return troubles(asked.questions[place], asked.answers[place], label_of(cut.label), figures=cut.figures)

    def _again(self, place: int) -> Question:
        return second_question(self._first.questions[place], self._doubts[place][0])

    def _usage(self, second: Round) -> dict[str, float]:
        answers = (*self._first.answers.values(), *second.answers.values())
        return {
            "seconds": self._sheet.seconds + perf_counter() - self._began,
            "request_seconds": sum(answer.seconds for answer in answers),
            "requests": float(len(self._first.questions) + len(second.questions)),
            "prompt_tokens": float(sum(answer.prompt_tokens for answer in answers)),
            "completion_tokens": float(sum(answer.completion_tokens for answer in answers)),
            "retried_blocks": float(len(second.questions)),
        }


def _check(ended: Round) -> None:
    if ended.error is not None:
        raise ended.error
    if ended.refused and not ended.answers and len(ended.refused) == len(ended.questions):
        place, refused = next(iter(ended.refused.items()))
        log.warning("every block refused", extra={"blocks": len(ended.refused), "block": place})
        raise PageRefused(f"every block was refused: {refused}") from refused
