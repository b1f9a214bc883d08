"""What is wrong with an answer, judged before anything is made of it, and how to ask once more."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gpu_worker.engines.vl.question import Answer, Question
from gpu_worker.engines.vl.repetition import Run, longest_run
from shared.domain.page import FlagCode, Label

LEAST_CONFIDENCE = 0.6
"""Mean probability of the tokens. Not measured on the real model; what is read well there is said to be near 1."""
MOST_TOKENS = 8192
"""What the library lets the model say where nobody gives a limit."""

_TABLE = "Table Recognition:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """`value` is the figure behind it: a limit, a count, a confidence."""

    code: FlagCode
    value: str = ""


def troubles(question: Question, answer: Answer, label: Label, *, figures: Iterable[str] = ()) -> tuple[Trouble, ...]:
    """What is wrong, the worst first. `figures` were painted over a table's pictures, and must be in its text."""
    found: list[Trouble] = []
    run = longest_run(answer.text, is_table=label is Label.TABLE, was_cut=answer.was_cut)
    if run is not None:
        found.append(Trouble(code=FlagCode.REPETITION, value=str(run.times)))
    if answer.was_cut and not _explains_the_cut(run, answer):
        found.append(Trouble(code=FlagCode.TRUNCATED, value=str(question.most_tokens)))
    if not answer.text.strip() and question.picture.has_ink():
        found.append(Trouble(code=FlagCode.EMPTY_BLOCK))
    found.extend(Trouble(code=FlagCode.DROPPED_FIGURE, value=token) for token in figures if token not in answer.text)
    if answer.confidence is not None and answer.confidence < LEAST_CONFIDENCE:
        found.append(Trouble(code=FlagCode.LOW_CONFIDENCE, value=f"{answer.confidence:.2f}"))
    return tuple(found)


def second_question(question: Question, trouble: Trouble) -> Question:
    """The same block, asked in the way that may help against this trouble.

    A loop is one of greedy decoding: some chance, with a seed so that the same page is read the same way, leads out of
    it. A penalty alone would punish a table for its cells, so it is small. What was cut may be longer. What was not
    seen, or hardly, is shown larger.
    """
    match trouble.code:
        case FlagCode.REPETITION | FlagCode.DROPPED_FIGURE:
            penalty = () if question.prompt == _TABLE else (("repetition_penalty", 1.05),)
            return replace(question, sampling=(("temperature", 0.3), ("top_p", 0.95), ("seed", 1), *penalty))
        case FlagCode.TRUNCATED:
            return replace(question, most_tokens=max(question.most_tokens, min(MOST_TOKENS, 2 * question.most_tokens)))
        case _:
            larger = min(question.max_pixels, 4 * max(question.min_pixels, question.picture.pixels))
            return replace(question, min_pixels=max(question.min_pixels, larger))


def _explains_the_cut(run: Run | None, answer: Answer) -> bool:
    return run is not None and run.end >= len(answer.text) - run.period
