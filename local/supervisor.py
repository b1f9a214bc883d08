"""Keeps the parts of a system running: starts a few at a time, starts again what died, stops all in order."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from local.processes import Command, Process, ProcessFailed, stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process. Parts of a lower `stage` are stopped, and have ended, before those of a higher one are asked to."""

    command: Command
    is_ready: Callable[[Process], bool]
    stage: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts:
    """What is done about a part that died: it is started again after a pause, doubled while it dies soon again.

    Only deaths *before* it was ready count against the part: a document may kill a worker more than once.
    """

    first_pause: float = 0.5
    longest_pause: float = 10.0
    soon: float = 10.0
    tries: int = 4
    start_seconds: float = 60.0

    def pause(self, deaths: int) -> float:
        """Return seconds to wait after so many deaths in a row, from 1."""
        return float(min(self.first_pause * 2 ** (deaths - 1), self.longest_pause))


@dataclass(slots=True, kw_only=True)
class _Running:
    part: Part
    process: Process | None = None
    is_ready: bool = False
    since: float = 0.0
    due: float = 0.0
    deaths: int = 0
    failed_starts: int = 0


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Everything happens in `step`, which the caller calls again and again. `tell` hears of each death."""

    parts: Sequence[Part]
    folder: Path
    tell: Callable[[str], None]
    at_once: int = 2
    restarts: Restarts = Restarts()
    _all: list[_Running] = field(init=False)

    def __post_init__(self) -> None:
        self._all = [_Running(part=part) for part in self.parts]
        self.folder.mkdir(parents=True, exist_ok=True)
        for part in self.parts:
            self._log(part).unlink(missing_ok=True)

    @property
    def is_ready(self) -> bool:
        """Whether every part is, at the same time."""
        return all(each.is_ready for each in self._all)

    @property
    def processes(self) -> Sequence[Process]:
        """Those that run or have just died, in the order of the parts."""
        return [each.process for each in self._all if each.process is not None]

    def step(self) -> None:
        """Notice what became ready or died, and start what is due, `at_once` at a time. Raises ProcessFailed."""
        now = time.monotonic()
        for each in self._all:
            self._notice(each, now)
        for each in self._all:
            if each.process is None and each.due <= now and self._starting() < self.at_once:
                each.process = Process(each.part.command, self._log(each.part))
                each.since = now

    def stop(self, seconds: float) -> None:
        """Stop stage after stage; what has not ended `seconds` after it was asked is killed."""
        by_stage = sorted(self._all, key=lambda each: each.part.stage)
        for _, stage in groupby(by_stage, key=lambda each: each.part.stage):
            stop([each.process for each in stage if each.process is not None], seconds=seconds)

    def _starting(self) -> int:
        return sum(each.process is not None and not each.is_ready for each in self._all)

    def _notice(self, each: _Running, now: float) -> None:
        if each.process is None:
            return
        if each.process.exit_code() is not None:
            self._died(each, each.process, now)
        elif not each.is_ready:
            each.is_ready = each.part.is_ready(each.process)
            if each.is_ready:
                each.failed_starts = 0
            elif now - each.since > self.restarts.start_seconds:
                raise _gave_up(each.process, f"was not ready after {self.restarts.start_seconds:g} s")

    def _died(self, each: _Running, process: Process, now: float) -> None:
        process.kill_group()
        each.deaths = 1 if now - each.since > self.restarts.soon else each.deaths + 1
        each.failed_starts += not each.is_ready
        if each.failed_starts >= self.restarts.tries:
            raise _gave_up(process, f"ended {each.failed_starts} times before it was ready, {_how(process)}")
        pause = self.restarts.pause(each.deaths)
        each.process, each.is_ready, each.due = None, False, now + pause
        self.tell(f"{process.name} ended {_how(process)}; it is started again in {pause:g} s ({process.log})")

    def _log(self, part: Part) -> Path:
        return self.folder / f"{part.command.name}.log"


def _how(process: Process) -> str:
    code = process.exit_code() or 0
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"


def _gave_up(process: Process, what: str) -> ProcessFailed:
    return ProcessFailed(f"{process.name} {what}. It said ({process.log}):\n{process.tail()}")
