"""Pages: tries and suspects, rounds, how numbers become ranges, and what "1-5,8,r3-r1" means."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import RenderTimeout
from shared.domain.options import EngineSettings, Extra, Lane, Options, Tables, recipe
from shared.domain.page import KILLS_ALONE, Flag, FlagCode, Page, PageRange, PageStatus, check_selection, cut, select
from tests.builders import a_page, a_page_read
from tests.clocks import NOON

FAILURE = RenderTimeout().failure
READ = a_page_read(flags=(Flag(code=FlagCode.BLANK),), usage={"seconds": 1.5})


def started(page: Page) -> Page:
    return page.started(round_=page.round, now=NOON)


def handed_back(page: Page) -> Page:
    return page.handed_back(round_=page.round, now=NOON)


def test_a_page_whose_worker_died_is_a_suspect() -> None:
    page = started(a_page())

    assert page.is_suspect
    assert not page.killed_its_worker


def test_a_page_that_is_handed_back_was_never_tried() -> None:
    page = handed_back(started(a_page()))

    assert (page.tries, page.tries_alone, page.is_suspect) == (0, 0, False)


def test_two_kills_alone_are_enough() -> None:
    page = started(a_page())

    for _ in range(KILLS_ALONE):
        assert not page.killed_its_worker
        page = started(page)

    assert page.killed_its_worker


def test_a_suspect_that_is_handed_back_stays_a_suspect_without_another_kill() -> None:
    suspect = started(started(a_page()))

    again = handed_back(started(suspect))

    assert (again.tries, again.tries_alone) == (suspect.tries, suspect.tries_alone)


def test_hand_backs_never_count_below_nothing() -> None:
    page = handed_back(handed_back(a_page()))

    assert (page.tries, page.tries_alone) == (0, 0)


CHANGES: dict[str, Callable[[Page, int], Page]] = {
    "started": lambda page, round_: page.started(round_=round_, now=NOON),
    "handed back": lambda page, round_: page.handed_back(round_=round_, now=NOON),
    "done": lambda page, round_: page.done(READ, round_=round_, now=NOON),
    "failed": lambda page, round_: page.failed(FAILURE, round_=round_, now=NOON),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("status", [PageStatus.DONE, PageStatus.FAILED])
def test_a_page_that_ended_stays_as_it_is(status: PageStatus, change: str) -> None:
    page = a_page(status=status)

    assert CHANGES[change](page, page.round) == page


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("round_", [1, 3])
def test_a_write_of_another_round_changes_nothing(round_: int, change: str) -> None:
    page = a_page(round=2)

    assert CHANGES[change](page, round_) == page


def test_a_page_that_is_done_carries_what_its_reading_said() -> None:
    page = a_page().done(READ, round_=1, now=NOON)

    assert (page.status, page.flags, page.usage) == (PageStatus.DONE, READ.flags, READ.usage)
    assert page.failure is None


def test_a_retry_opens_what_is_not_done_with_a_clean_record() -> None:
    failed = started(a_page()).failed(FAILURE, round_=1, now=NOON)

    page = failed.retried(round_=2, now=NOON)

    assert page.is_open(2)
    assert (page.tries, page.tries_alone, page.failure) == (0, 0, None)


def test_a_retry_leaves_a_page_that_is_done() -> None:
    done = a_page().done(READ, round_=1, now=NOON)

    assert done.retried(round_=2, now=NOON) == done


def test_opening_a_round_twice_does_not_forget_what_happened_in_it() -> None:
    failed_again = a_page(round=2).failed(FAILURE, round_=2, now=NOON)

    assert failed_again.retried(round_=2, now=NOON) == failed_again
    assert failed_again.retried(round_=1, now=NOON) == failed_again


def cut_of(numbers: list[int], size: int, round_: int = 1) -> tuple[PageRange, ...]:
    return cut(numbers, size=size, round_=round_, lane=Lane.BULK, recipe="abc")


@given(numbers=st.lists(st.integers(1, 3000), unique=True, max_size=300), size=st.integers(1, 20))
def test_ranges_hold_every_page_once_in_order_and_are_as_even_as_they_come(numbers: list[int], size: int) -> None:
    ranges = cut_of(numbers, size)

    lengths = [len(each.pages) for each in ranges]
    assert [number for each in ranges for number in each.pages] == numbers
    assert max(lengths, default=0) <= size
    assert max(lengths, default=0) - min(lengths, default=0) <= 1
    assert len(ranges) == -(-len(numbers) // size)
    assert len({each.id for each in ranges}) == len(ranges)


def test_nine_pages_become_five_and_four() -> None:
    assert [each.pages for each in cut_of(list(range(1, 10)), 8)] == [(1, 2, 3, 4, 5), (6, 7, 8, 9)]


def test_the_same_cut_gives_the_same_ranges_and_another_round_other_ids() -> None:
    numbers = [1, 3, 5]

    assert cut_of(numbers, 2) == cut_of(numbers, 2)
    assert {each.id for each in cut_of(numbers, 2)}.isdisjoint(each.id for each in cut_of(numbers, 2, round_=2))


@pytest.mark.parametrize(
    ("selection", "pages"),
    [
        (None, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)),
        ("3", (3,)),
        ("1-3", (1, 2, 3)),
        ("1-3,8,r3-r1", (1, 2, 3, 8, 9, 10)),
        ("r1", (10,)),
        ("r10", (1,)),
        ("9-r1", (9, 10)),
        ("r2-10", (9, 10)),
        ("8, 2 ,8,1-2", (1, 2, 8)),
    ],
)
def test_a_selection_names_pages_ascending_each_once(selection: str | None, pages: tuple[int, ...]) -> None:
    assert select(selection, 10) == pages


@pytest.mark.parametrize("selection", ["11", "r11", "5-3", "r1-r3", "10-11", "1,999999"])
def test_a_page_outside_the_document_is_never_left_out_silently(selection: str) -> None:
    check_selection(selection)

    with pytest.raises(ValueError, match="10 pages"):
        select(selection, 10)


@pytest.mark.parametrize(
    "selection", ["", ",", "0", "r0", "-1", "1-", "1--2", "1 - 2", "a", "1;2", "01", "r", "R1", "\u0661"]
)
def test_what_is_no_selection_is_refused_before_anybody_knows_the_document(selection: str) -> None:
    with pytest.raises(ValueError, match="not a page"):
        check_selection(selection)
    with pytest.raises(ValueError, match="not a page"):
        select(selection, 10)


@given(selection=st.text(alphabet="0123456789r-, ", max_size=12), count=st.integers(0, 30))
def test_a_selection_is_either_pages_of_the_document_or_an_error(selection: str, count: int) -> None:
    try:
        pages = select(selection, count)
    except ValueError:
        return

    assert list(pages) == sorted(set(pages))
    assert pages
    assert set(pages) <= set(range(1, count + 1))


ENGINE = EngineSettings(name="null", revision="1", dpi=72)


@pytest.mark.parametrize(
    "options",
    [
        Options(dpi=100),
        Options(orientation=False),
        Options(unwarp=True),
        Options(charts=True),
        Options(seals=True),
        Options(formula_numbers=True),
    ],
)
def test_what_changes_pixels_or_recognition_is_another_recipe(options: Options) -> None:
    assert recipe(ENGINE, options) != recipe(ENGINE, Options())


@pytest.mark.parametrize(
    "options",
    [
        Options(dpi=72),
        Options(tables=Tables.MARKDOWN),
        Options(include=frozenset({Extra.HEADER})),
        Options(page_markers=False),
        Options(cache=False),
    ],
)
def test_what_only_changes_the_markdown_is_the_same_recipe(options: Options) -> None:
    assert recipe(ENGINE, options) == recipe(ENGINE, Options())


@pytest.mark.parametrize("change", ["name", "revision", "dpi"])
def test_another_engine_is_another_recipe(change: str) -> None:
    values = {"name": "null", "revision": "1", "dpi": 72} | {change: 99 if change == "dpi" else "other"}

    assert recipe(EngineSettings(**values), Options()) != recipe(ENGINE, Options())  # type: ignore[arg-type]  # by name
