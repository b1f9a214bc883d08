from gpu_worker.engines.layout.geometry import Line, Rect
from gpu_worker.engines.layout.order import reading_order
from gpu_worker.engines.layout.rows import group_rows

HEIGHT = 20.0


def a_line(text: str, x0: float, y0: float, width: float, height: float = HEIGHT) -> Line:
    return Line(Rect(x0, y0, x0 + width, y0 + height), text, 0.99)


def a_column(
    name: str, x0: float, y0: float, width: float = 400.0, *, rows: int = 8, pitch: float = 25.0
) -> list[Line]:
    return [a_line(f"{name}{row}", x0, y0 + row * pitch, width) for row in range(rows)]


def texts(lines: list[Line]) -> list[str]:
    runs = reading_order(lines, HEIGHT)
    return [line.text for run in runs for row in group_rows(run) for line in row]


def names(lines: list[Line]) -> str:
    """The columns' names in the order in which they are first read."""
    return "".join(dict.fromkeys(text[0] for text in texts(lines)))


def test_two_columns_are_read_one_after_the_other() -> None:
    lines = [*a_column("b", 460, 100), *a_column("a", 40, 100)]

    assert texts(lines) == [f"a{row}" for row in range(8)] + [f"b{row}" for row in range(8)]


def test_columns_with_other_line_pitches_stay_apart() -> None:
    lines = [*a_column("a", 40, 100, rows=8), *a_column("b", 460, 97, rows=7, pitch=29)]

    assert names(lines) == "ab"
    assert texts(lines)[:8] == [f"a{row}" for row in range(8)]


def test_three_columns_are_read_from_left_to_right() -> None:
    lines = [line for name, x0 in (("c", 640), ("a", 40), ("b", 340)) for line in a_column(name, x0, 100, 280)]

    assert names(lines) == "abc"


def test_a_spanning_title_is_read_before_the_columns_under_it() -> None:
    lines = [*a_column("a", 40, 100), *a_column("b", 460, 100), a_line("title", 200, 40, 500, 36)]

    assert names(lines) == "tab"


def test_columns_above_a_spanning_heading_are_read_before_those_below() -> None:
    upper = [*a_column("a", 40, 100), *a_column("b", 460, 100)]
    lower = [*a_column("c", 40, 400), *a_column("d", 460, 400)]

    assert names([*lower, a_line("heading", 150, 345, 560, 30), *upper]) == "abhcd"


def test_a_first_line_that_stands_higher_in_the_right_column_is_still_read_after_the_left() -> None:
    lines = [*a_column("a", 40, 125, rows=7), *a_column("b", 460, 100, rows=8)]

    assert names(lines) == "ab"


def test_short_cells_on_common_baselines_are_read_as_rows() -> None:
    lines = [*a_column("a", 40, 100, width=90, rows=3), *a_column("b", 300, 100, width=80, rows=3)]

    assert texts(lines) == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_labels_beside_long_values_are_read_with_their_values() -> None:
    lines = [*a_column("a", 40, 100, width=90, rows=4), *a_column("b", 300, 100, width=500, rows=4)]

    assert texts(lines)[:4] == ["a0", "b0", "a1", "b1"]


def test_a_narrow_gutter_counts_where_many_lines_meet_it() -> None:
    lines = [*a_column("a", 40, 100, width=400), *a_column("b", 446, 100, width=400)]

    assert names(lines) == "ab"


def test_nothing_is_lost_and_nothing_is_read_twice() -> None:
    lines = [*a_column("a", 40, 100), *a_column("b", 460, 90, rows=5), a_line("x", 500, 320, 60), a_line("y", 10, 5, 9)]

    assert sorted(texts(lines)) == sorted(line.text for line in lines)


def test_no_lines_have_no_order() -> None:
    assert reading_order([], HEIGHT) == []
