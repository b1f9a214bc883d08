"""`pagemill up` as a user starts it: the whole system on Google's emulators, real ones, and what dies in it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests import samples
from tests.serving import environment, until
from tests.starting import STOPPING_SECONDS, Up, up

pytestmark = [pytest.mark.google, pytest.mark.long, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("up"), "--workers", "2") as running:
        yield running


def test_a_document_goes_all_the_way(system: Up) -> None:
    job = system.ended(system.submitted(samples.pdf(["one", "two"])))

    assert (job["status"], job["pages"]["done"]) == ("finished", 2)
    assert system.http.get(f"/jobs/{job['job_id']}/result.md").text.count("<!-- page") == 2


def test_an_object_of_the_inbox_starts_a_job_whose_result_is_in_the_outbox(system: Up) -> None:
    name = "inbox/acme/Größe 1.pdf"

    put = f"{system.storage}/upload/storage/v1/b/pagemill-inbox/o?uploadType=media&name={quote(name, safe='')}"
    httpx.post(put, content=samples.pdf(["one"]), trust_env=False).raise_for_status()

    listed = f"{system.storage}/storage/v1/b/pagemill-outbox/o"
    until(lambda: ".md" in httpx.get(listed, trust_env=False).text, seconds=90)


def test_what_is_killed_is_started_again_and_no_job_is_lost(system: Up) -> None:
    """A minute, mostly: so long are the leases of what was in hand."""
    jobs = [system.submitted(samples.pdf([f"page {number} of {n}" for number in range(20)])) for n in range(3)]
    parts = system.started.parts()

    for pid in parts:
        os.kill(pid, signal.SIGKILL)
    until(lambda: _are_others(system.started.parts(), parts), seconds=90)
    until(lambda: _is_served(system.http), seconds=90)
    jobs.append(system.submitted(samples.pdf(["after the killing"])))

    assert {system.ended(job)["status"] for job in jobs} == {"finished"}


def test_a_second_one_does_not_write_the_same_logs(system: Up) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local", "up", "--port", "0", "--data", str(system.started.logs)],
        env=environment(system.started.logs / "data"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert "--data names another folder" in done.stderr


def test_a_port_that_is_taken_is_told(system: Up, tmp_path: Path) -> None:
    port = str(system.http.base_url.port)

    done = subprocess.run(
        [sys.executable, "-m", "local", "up", "--port", port, "--data", str(tmp_path)],
        env=environment(tmp_path / "data"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert f"Port {port} of 127.0.0.1 is taken" in done.stderr


def test_an_emulator_that_dies_ends_it_with_its_name(system: Up) -> None:
    """The last of this file's tests of one system."""
    os.kill(system.started.pid("pubsub-emulator"), signal.SIGKILL)
    _, said = system.started.process.communicate(timeout=STOPPING_SECONDS)

    assert system.started.process.returncode == 1
    assert "The pubsub emulator ended" in said
    assert system.started.pids() == {}


def _are_others(now: Mapping[int, str], before: Mapping[int, str]) -> bool:
    return sorted(now.values()) == sorted(before.values()) and not now.keys() & before.keys()


def _is_served(http: httpx.Client) -> bool:
    try:
        return http.get("/health").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
