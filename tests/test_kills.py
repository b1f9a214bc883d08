"""Processes that are killed, for real: what was finished stays, what was not goes on."""

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import samples
from tests.serving import Served, environment, served

pytestmark = pytest.mark.long

PAGES, FEWER_PAGES = 20, 8


def test_a_server_killed_in_the_middle_goes_on_and_reads_no_finished_page_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data, {"ENGINE": "rapidocr", "ENGINE_WORKERS": "2"}) as first:
        job_id = first.submitted(_numbered(PAGES))
        done_before = _when_done(first, job_id, 5)
        first.kill()
    before = _pages(data, job_id)

    with served(data, {"ENGINE": "rapidocr", "ENGINE_WORKERS": "2"}) as second:
        job = second.ended(job_id)
        markdown = second.markdown(job_id)

    after = _pages(data, job_id)
    finished = [number for number, page in before.items() if page["status"] == "done"]
    assert done_before >= 5
    assert len(finished) < PAGES
    assert job["pages"] == {"total": PAGES, "done": PAGES, "failed": 0}
    assert [markdown.count(f"page number {number}.") for number in range(1, PAGES + 1)] == [1] * PAGES
    assert [after[number] for number in finished] == [before[number] for number in finished]
    in_flight = [number for number, page in before.items() if page["status"] == "pending" and page["tries"]]
    assert sum(page["tries"] for page in after.values()) == PAGES + len(in_flight)


def test_a_server_that_is_asked_to_stop_exits_and_blames_no_page(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data, {"ENGINE": "rapidocr", "ENGINE_WORKERS": "2"}) as first:
        job_id = first.submitted(_numbered(FEWER_PAGES))
        _when_done(first, job_id, 2)
        code = first.terminate()
    stopped = _pages(data, job_id)

    with served(data, {"ENGINE": "rapidocr", "ENGINE_WORKERS": "2"}) as second:
        job = second.ended(job_id)

    assert code == 0
    assert {page["tries"] for page in stopped.values() if page["status"] == "pending"} == {0}
    assert job["pages"]["done"] == FEWER_PAGES
    assert {page["tries"] for page in _pages(data, job_id).values()} == {1}


def test_an_extra_worker_process_shares_the_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data) as server:
        command = [sys.executable, "-m", "local", "worker"]
        worker = subprocess.Popen(command, env=environment(data), stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        try:
            assert worker.stdout.readline().startswith("pagemill works on")
            jobs = [server.submitted(samples.pdf(["one"] * 16)) for _ in range(4)]

            ended = [server.ended(job_id) for job_id in jobs]
        finally:
            worker.terminate()
            code = worker.wait(timeout=30)
            worker.stdout.close()

    assert {job["pages"]["done"] for job in ended} == {16}
    assert code == 0
    assert {page["tries"] for job_id in jobs for page in _pages(data, job_id).values()} == {1}


def _numbered(pages: int) -> bytes:
    """Small pages, so that the real engine takes a moment for each, not a second."""
    return samples.quick_pdf([f"This is page number {number}." for number in range(1, pages + 1)])


def _when_done(server: Served, job_id: str, count: int) -> int:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        done = int(server.http.get(f"/jobs/{job_id}").json()["pages"]["done"])
        if done >= count:
            return done
        time.sleep(0.02)
    raise AssertionError(f"{count} pages were not done in time")


def _pages(data: Path, job_id: str) -> dict[int, dict[str, Any]]:
    with closing(sqlite3.connect(data / "pagemill.sqlite")) as connection:
        rows = connection.execute("SELECT number, body FROM pages WHERE job_id = ?", (job_id,)).fetchall()
    return {number: json.loads(body) for number, body in rows}
