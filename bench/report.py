"""How every benchmark tells its figures: a line for people, or with --json one object a line."""

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`baseline` was measured beside it in the same run, `ratio` is value by baseline; None where there is none.

    `goal` is met from that ratio (or value, without a baseline) on: upwards, or downwards where `lower_is_better`.
    """

    name: str
    value: float
    unit: str
    baseline: float | None = None
    goal: float | None = None
    lower_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        return self.value / self.baseline if self.baseline else None

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        measured = self.value if self.ratio is None else self.ratio
        return measured <= self.goal if self.lower_is_better else measured >= self.goal

    def as_json(self) -> str:
        fields = asdict(self)
        del fields["lower_is_better"]
        rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in fields.items()}
        ratio = None if self.ratio is None else round(self.ratio, 4)
        return json.dumps(rounded | {"ratio": ratio, "met": self.met})

    def as_text(self) -> str:
        parts = [f"{self.name}: {self.value:.4g} {self.unit}"]
        if self.baseline is not None and self.ratio is not None:
            parts.append(f"beside {self.baseline:.4g} (ratio {self.ratio:.3f})")
        if self.goal is not None:
            parts.append(
                f"goal {'≤' if self.lower_is_better else '≥'} {self.goal:g}: {'met' if self.met else 'MISSED'}"
            )
        return ", ".join(parts)


def wants_json(description: str | None) -> bool:
    """Read the command line that every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return bool(parser.parse_args().json)


def show(figures: Iterable[Figure], *, as_json: bool) -> None:
    for figure in figures:
        print(figure.as_json() if as_json else figure.as_text(), flush=True)
