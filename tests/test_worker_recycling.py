"""A worker whose processes grew past the limit ends in order in the middle of the work, and another goes on."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

from gpu_worker.memory import give_back_freed, used_mb
from gpu_worker.recycling import Recycling
from local.emulators import free_ports
from shared.adapters.embedded.clock import SystemClock
from shared.domain.options import Lane
from shared.pdf.sandbox import Sandbox
from tests.pipeline import pipeline
from tests.serving import environment, until
from tests.working import pages, pending, submit

FRESH_MB = "1"
"""Less than any worker takes: it ends after its first range."""


def test_a_worker_past_its_limit_exits_in_order_and_the_next_reads_the_rest_once(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    data = tmp_path / "data"
    with pipeline(data, SystemClock(), sandbox) as pipe:
        jobs = submit(pipe, *[[200] * 150] * 2, lane=Lane.BULK)

        first = subprocess.run(worker(), env=environment(data, WORKER_MEMORY_MB=FRESH_MB), timeout=60, check=False)
        left = pending(pipe, *jobs)
        second = subprocess.Popen(worker(), env=environment(data))
        try:
            until(lambda: not pending(pipe, *jobs), seconds=80)
            second.terminate()
            code = second.wait(20)
        finally:
            second.kill()
            second.wait()

        assert (first.returncode, code) == (0, 0)
        assert 0 < left < 300
        assert {(page.status, page.tries) for page in pages(pipe, *jobs)} == {("done", 1)}


def test_a_worker_process_answers_its_probes_where_a_port_is_named(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    process = subprocess.Popen(worker(), env=environment(tmp_path / "data", WORKER_PORT=str(port)))
    try:
        until(lambda: answers(port))
    finally:
        process.terminate()
        code = process.wait(20)

    assert code == 0


def test_a_worker_that_read_nothing_stays_whatever_it_takes() -> None:
    recycling = Recycling(100, lambda: 200)

    assert not recycling.is_due(has_worked=False)
    assert recycling.is_due(has_worked=True)


def test_without_a_limit_no_worker_ends() -> None:
    assert not Recycling(0, lambda: 10**6).is_due(has_worked=True)


def test_what_children_take_is_counted_too() -> None:
    before = used_mb()
    program = "held = bytearray(b'x' * 50_000_000); print('ready', flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()

    with_child, alone = used_mb(), used_mb(child.pid)

    child.communicate("\n")
    assert os.getpid() != child.pid
    assert alone > 50
    assert with_child > before + 45


def test_what_is_freed_between_what_is_still_used_goes_back_to_the_system() -> None:
    held = [bytearray(4_000) for _ in range(20_000)]
    full = used_mb()
    del held[:-1]

    give_back_freed()

    assert used_mb() < full - 60


def worker() -> list[str]:
    return [sys.executable, "-m", "local", "worker"]


def answers(port: int) -> bool:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
    except httpx.TransportError:
        return False
    return answer.status_code == 200 and bool(answer.json()["pulling"])
