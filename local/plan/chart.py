"""A chart in characters: one bar a column, eighths of a line high."""

from collections.abc import Iterator, Sequence

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_LABEL = 10


def chart(title: str, values: Sequence[float], *, height: int = 6) -> Iterator[str]:
    """Yield the lines, the highest value named beside the top one."""
    top = max(values, default=0.0)
    yield title
    for line in reversed(range(height)):
        label = _short(top) if line == height - 1 else "0" if line == 0 else ""
        yield f"{label:>{_LABEL}} │" + "".join(_cell(value, top, line, height) for value in values)
    yield " " * _LABEL + " └" + "─" * len(values)


def hours(columns: int, *, day_hours: float = 24.0) -> str:
    """Return the line below a chart whose columns span so many hours."""
    marks = range(0, int(day_hours) + 1, 4 if day_hours <= 24 else 8)  # noqa: PLR2004 - a day's hours
    line = [" "] * (columns + 4)
    for hour in marks:
        at = round(hour / day_hours * columns)
        line[at : at + 2] = f"{hour:<2}"
    return " " * (_LABEL + 2) + "".join(line).rstrip() + " h"


def bucketed(points: Sequence[tuple[float, float]], columns: int, span: float) -> list[float]:
    """Return the mean of the points' values in each of so many equal parts of the span; 0 where there is none."""
    sums, counts = [0.0] * columns, [0] * columns
    for at, value in points:
        column = min(columns - 1, int(at / span * columns))
        sums[column] += value
        counts[column] += 1
    return [total / count if count else 0.0 for total, count in zip(sums, counts, strict=True)]


def _cell(value: float, top: float, line: int, height: int) -> str:
    eighths = round(value / top * height * 8) if top else 0
    if value > 0 and line == 0:
        eighths = max(1, eighths)
    return _EIGHTHS[max(0, min(8, eighths - 8 * line))]


def _short(value: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{value / (1e3 if unit == 'k' else limit):.1f}{unit}"
    return f"{value:.4g}"
