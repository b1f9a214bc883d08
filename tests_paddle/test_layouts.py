"""Layout's processes: what a crash, a hang and a signal cost, and what they don't."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from gpu_worker.engines.vl.layouts import Layouts
from gpu_worker.engines.vl.page import Sheet
from shared.config import Settings
from shared.domain.errors import EngineDied, EngineUnavailable, PageRefused
from shared.domain.options import Lane, Options
from tests_paddle.fabricated_layout import blocks_of, write_model
from tests_paddle.pages import HEIGHT, image, paper

PROC = Path("/proc")


def the_settings(folder: Path, *, processes: int, cost: float = 0.0) -> Settings:
    model = write_model(folder / "layout", blocks_of(2), cost_seconds=cost)
    return Settings(layout_model=model, layout_processes=processes)


@pytest.fixture
def layouts(tmp_path: Path) -> Iterator[Layouts]:
    opened = Layouts(the_settings(tmp_path, processes=2), page_seconds=5.0)
    yield opened
    opened.close()


def submit(layouts: Layouts, lane: Lane = Lane.BULK, *, height: int = HEIGHT) -> Future[Sheet]:
    return layouts.submit(replace(image(paper()), height=height), Options(orientation=False), lane)


def children() -> list[int]:
    """The processes of layout that this one has."""
    found = []
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            parent, command = (
                int(stat.read_text().rpartition(")")[2].split()[1]),
                (stat.parent / "cmdline").read_bytes(),
            )
        except OSError:
            continue  # it ended meanwhile
        if parent == os.getpid() and b"layout_process" in command:
            found.append(int(stat.parent.name))
    return sorted(found)


def test_a_crash_costs_its_own_page_and_no_other(layouts: Layouts) -> None:
    first, second = children()
    for each in (first, second):
        os.kill(each, signal.SIGSTOP)
    pages = [submit(layouts) for _ in range(6)]

    os.kill(first, signal.SIGKILL)
    time.sleep(0.2)
    os.kill(second, signal.SIGCONT)

    ends = [page.exception(timeout=60) for page in pages]
    assert [type(end) for end in ends if end is not None] == [EngineDied]
    layouts.check()


def test_a_page_that_hangs_is_ended_and_the_next_is_laid_out(tmp_path: Path) -> None:
    layouts = Layouts(the_settings(tmp_path, processes=1), page_seconds=1.0)
    (child,) = children()
    os.kill(child, signal.SIGSTOP)

    with pytest.raises(EngineDied, match="no answer in 1 s"):
        submit(layouts).result(timeout=60)

    assert submit(layouts).result(timeout=60).cuts
    assert child not in children()
    layouts.close()


def test_an_error_of_the_librarys_is_its_pages_and_the_process_lives_on(layouts: Layouts) -> None:
    before = children()

    with pytest.raises(PageRefused, match="ValueError"):
        submit(layouts, height=HEIGHT + 1).result(timeout=60)

    assert submit(layouts).result(timeout=60).cuts
    assert children() == before


def test_a_signal_to_all_processes_blames_no_page(layouts: Layouts) -> None:
    for child in children():
        os.kill(child, signal.SIGTERM)
        os.kill(child, signal.SIGINT)

    assert all(submit(layouts).result(timeout=60).cuts for _ in range(4))


def test_a_process_that_dies_idle_is_started_again(layouts: Layouts) -> None:
    for child in children():
        os.kill(child, signal.SIGKILL)
    time.sleep(0.2)

    ends = [submit(layouts).exception(timeout=60) for _ in range(4)]

    assert ends.count(None) >= 2, "at most one page a process finds out"
    assert submit(layouts).result(timeout=60).cuts


def test_where_no_process_starts_pages_are_handed_back_and_the_check_says_so(tmp_path: Path) -> None:
    layouts = Layouts(the_settings(tmp_path, processes=1), page_seconds=5.0)
    (tmp_path / "layout" / "inference.onnx").write_bytes(b"torn")
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    time.sleep(0.2)

    assert isinstance(submit(layouts).exception(timeout=60), EngineDied)
    assert type(submit(layouts).exception(timeout=60)) is EngineUnavailable
    with pytest.raises(EngineUnavailable, match="does not start"):
        layouts.check()
    layouts.close()


def test_layout_that_cannot_start_leaves_no_process(tmp_path: Path) -> None:
    settings = the_settings(tmp_path, processes=2)
    (tmp_path / "layout" / "inference.onnx").write_bytes(b"torn")

    with pytest.raises(EngineUnavailable):
        Layouts(settings)

    assert children() == []


def test_bulk_has_its_turn_though_express_never_ends(tmp_path: Path) -> None:
    layouts = Layouts(the_settings(tmp_path, processes=1, cost=0.02), page_seconds=30.0)
    order: list[str] = []
    express = [submit(layouts, Lane.EXPRESS) for _ in range(30)]
    bulk = submit(layouts)
    for future, name in [*((each, "express") for each in express), (bulk, "bulk")]:
        future.add_done_callback(lambda _, name=name: order.append(name))  # type: ignore[misc]

    for each in (*express, bulk):
        each.result(timeout=60)

    assert order.index("bulk") < 10
    layouts.close()


def test_closing_hands_back_what_waits_and_ends_every_process(layouts: Layouts) -> None:
    pages = [submit(layouts) for _ in range(12)]

    layouts.close()

    ends = [page.exception(timeout=1) for page in pages]
    assert {type(end) for end in ends if end is not None} == {EngineUnavailable}
    assert children() == []
    assert type(submit(layouts).exception(timeout=1)) is EngineUnavailable


def test_no_process_outlives_a_worker_that_was_killed(tmp_path: Path) -> None:
    model = write_model(tmp_path / "layout", blocks_of(1))
    program = f"""
import sys, time
from pathlib import Path
from gpu_worker.engines.vl.layout_process import LayoutProcess
from shared.config import Settings
process = LayoutProcess(Settings(layout_model=Path({str(model)!r})))
process.start()
print(process.pid, flush=True)
time.sleep(600)
"""
    worker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    child = int(worker.stdout.readline())

    worker.kill()
    worker.wait()
    worker.stdout.close()

    until = time.monotonic() + 20
    while PROC.joinpath(str(child), "cmdline").exists() and PROC.joinpath(str(child), "cmdline").read_bytes():
        assert time.monotonic() < until, "it lives on"
        time.sleep(0.05)
