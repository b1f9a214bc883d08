"""Processes that die, hang and refuse to end, under `pagemill up`'s supervision: real ones."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.processes import Command, Process, ProcessFailed
from local.supervisor import Part, Restarts, Supervisor
from tests.serving import until

QUICK = Restarts(first_pause=0.01, longest_pause=0.02, tries=3, start_seconds=10)


def says_ready(process: Process) -> bool:
    return "ready" in process.said()


def a_part(name: str, script: str, *, stage: int = 0, is_ready: Callable[[Process], bool] = says_ready) -> Part:
    return Part(command=Command(name=name, arguments=["sh", "-c", script]), is_ready=is_ready, stage=stage)


@contextmanager
def supervising(folder: Path, *parts: Part, at_once: int = 2, restarts: Restarts = QUICK) -> Iterator[Supervisor]:
    supervisor = Supervisor(parts=parts, folder=folder, tell=lambda _: None, at_once=at_once, restarts=restarts)
    try:
        yield supervisor
    finally:
        supervisor.stop(seconds=0)


def start(supervisor: Supervisor) -> None:
    while not supervisor.is_ready:
        supervisor.step()
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_part_that_dies_once_is_started_again_and_both_are_in_its_log(tmp_path: Path) -> None:
    script = (
        f"test -e {tmp_path}/tried && {{ echo ready; exec sleep 60; }}; touch {tmp_path}/tried; echo no luck; exit 7"
    )
    told: list[str] = []
    supervisor = Supervisor(parts=[a_part("flaky", script)], folder=tmp_path, tell=told.append, restarts=QUICK)

    start(supervisor)
    supervisor.stop(seconds=5)

    assert (tmp_path / "flaky.log").read_text() == "no luck\nready\n"
    assert [sentence.partition(";")[0] for sentence in told] == ["flaky ended with exit code 7"]


def test_a_part_that_never_starts_is_given_up_with_its_name_and_what_it_said(tmp_path: Path) -> None:
    broken = a_part("broken", f"echo x >> {tmp_path}/tries; echo no such bucket; exit 3")
    words = r"(?s)^broken ended 3 times .* exit code 3\. .*no such bucket"

    with supervising(tmp_path, broken) as parts, pytest.raises(ProcessFailed, match=words):
        start(parts)

    assert (tmp_path / "tries").read_text() == "x\n" * 3


def test_a_part_that_hangs_before_it_is_ready_is_given_up(tmp_path: Path) -> None:
    hanging = a_part("hanging", "echo thinking; exec sleep 60")
    words = r"(?s)^hanging was not ready after 0\.2 s.*thinking"

    with (
        supervising(tmp_path, hanging, restarts=Restarts(start_seconds=0.2)) as parts,
        pytest.raises(ProcessFailed, match=words),
    ):
        start(parts)


def test_a_part_that_is_killed_again_and_again_after_it_was_ready_is_never_given_up(tmp_path: Path) -> None:
    with supervising(tmp_path, a_part("worker", "echo ready; exec sleep 60")) as parts:
        pids = []
        for _ in range(2 * QUICK.tries):
            start(parts)
            pids.append(parts.processes[0].pid)
            os.kill(pids[-1], signal.SIGKILL)
            until(lambda: parts.processes[0].exit_code() is not None)
            parts.step()
        start(parts)

        assert len({*pids, parts.processes[0].pid}) == 2 * QUICK.tries + 1


def test_what_an_earlier_life_said_makes_no_later_one_ready(tmp_path: Path) -> None:
    script = f"test -e {tmp_path}/lived && exec sleep 60; touch {tmp_path}/lived; echo ready"

    with supervising(tmp_path, a_part("once", script)) as parts:
        parts.step()
        until(lambda: (tmp_path / "lived").exists() and parts.processes[0].exit_code() is not None)
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            parts.step()

        assert not parts.is_ready
        assert parts.processes[0].exit_code() is None


def test_children_that_outlive_a_part_are_gone_before_it_is_started_again(tmp_path: Path) -> None:
    """A server's would keep its port."""
    with supervising(
        tmp_path, a_part("server", f"sleep 60 & echo $! >> {tmp_path}/children; echo ready; wait")
    ) as parts:
        start(parts)
        os.kill(parts.processes[0].pid, signal.SIGKILL)
        until(lambda: parts.processes[0].exit_code() is not None)
        parts.step()
        start(parts)

        first, second = map(int, (tmp_path / "children").read_text().split())
        until(lambda: not is_running(first))
        assert is_running(second)


def test_pauses_double_up_to_the_longest() -> None:
    restarts = Restarts(first_pause=0.5, longest_pause=3.0)

    assert [restarts.pause(deaths) for deaths in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_no_more_than_the_bound_start_at_the_same_time(tmp_path: Path) -> None:
    ready: set[str] = set()
    several = [a_part(name, "exec sleep 60", is_ready=lambda process: process.name in ready) for name in "abcde"]

    with supervising(tmp_path, *several, at_once=2) as parts:
        started = []
        for each in (*several, None):
            parts.step()
            started.append(len(parts.processes))
            ready.update([each.command.name] if each else [])

    assert started == [2, 3, 4, 5, 5, 5]


def test_a_stage_has_ended_before_the_next_is_asked_to(tmp_path: Path) -> None:
    def told(name: str) -> str:
        end = f"sleep 0.2; echo {name} >> {tmp_path}/ended; exit 0"
        return f"trap '{end}' TERM; echo ready; while :; do sleep 0.01; done"

    first = [a_part(name, told(name), stage=0) for name in ("first", "also-first")]

    with supervising(tmp_path, a_part("last", told("last"), stage=1), *first) as parts:
        start(parts)
        parts.stop(seconds=10)

    assert sorted((tmp_path / "ended").read_text().split()[:2]) == ["also-first", "first"]
    assert (tmp_path / "ended").read_text().split()[2:] == ["last"]


def test_a_part_that_will_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    script = f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/child; echo ready; wait; sleep 60"

    with supervising(tmp_path, a_part("stubborn", script)) as parts:
        start(parts)
        parts.stop(seconds=0.2)

        assert parts.processes[0].exit_code() == -signal.SIGKILL
    until(lambda: not is_running(int((tmp_path / "child").read_text())))
