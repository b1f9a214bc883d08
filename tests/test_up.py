"""`pagemill up` and `pagemill emulators` as a user starts them: the whole system on Google's emulators, real ones."""

import os
import re
import shlex
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from local.emulator_programs import MissingPrograms, find_programs
from tests import samples
from tests.backends import missing_backend
from tests.serving import Json, environment, until

pytestmark = pytest.mark.timeout(240)

MARK = "MARK_OF_THE_TEST"
STOPPING_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A command that runs; `mark` is in the environment of each of its processes, and `said` is its first lines."""

    process: subprocess.Popen[str]
    mark: str
    said: list[str]
    logs: Path

    def pids(self) -> dict[int, str]:
        """Return the command line of each process that is left of it."""
        return {pid: line for pid, line in _command_lines(self.mark).items() if pid != self.process.pid}

    def parts(self) -> dict[int, str]:
        """Return what it started itself, but for the emulators."""
        ours = {pid: line for pid, line in self.pids().items() if _parent(pid) == self.process.pid}
        return {pid: line for pid, line in ours.items() if "emulator" not in line and "fake-gcs" not in line}

    def pid(self, words: str) -> int:
        return next(pid for pid, line in self.pids().items() if words in line)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Return its exit code, and what it said on stderr."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=STOPPING_SECONDS)
        return self.process.returncode, said


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])


def _command_lines(mark: str) -> dict[int, str]:
    """Those with the mark, and their children: the sandbox's processes have no environment."""
    lines: dict[int, str] = {}
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda folder: int(folder.name)):
        try:
            if mark.encode() in (folder / "environ").read_bytes() or _parent(int(folder.name)) in lines:
                lines[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it has ended, or is not ours
    return {pid: line for pid, line in lines.items() if line}


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    try:
        find_programs(os.environ)
    except MissingPrograms:
        missing_backend("the Google emulators")


@contextmanager
def started(folder: Path, *arguments: str, until_it_says: str, **settings: str) -> Iterator[Started]:
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-m", "local", *arguments, "--data", str(folder)],
        env=environment(folder / "data", **settings) | {MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Started(process=process, mark=mark, said=_first_lines(process, until_it_says), logs=folder)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _first_lines(process: subprocess.Popen[str], last: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if last in line:
            return lines
    assert process.stderr is not None
    raise AssertionError(f"it ended with {process.wait()} and said {process.stderr.read()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    started: Started
    http: httpx.Client
    storage: str

    def submitted(self, data: bytes) -> str:
        answer = self.http.post("/infer", files={"file": ("document.pdf", data)})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def ended(self, job_id: str) -> Json:
        job: Json = {}
        until(lambda: job.update(self.http.get(f"/jobs/{job_id}").json()) or _is_over(job), seconds=90)
        return job


def _is_over(job: Json) -> bool:
    return job["status"] in {"finished", "failed", "cancelled"}


@contextmanager
def up(folder: Path, *arguments: str, **settings: str) -> Iterator[Up]:
    with started(folder, "up", "--port", "0", *arguments, until_it_says="logs in", **settings) as running:
        said = "\n".join(running.said)
        address = re.search(r"is up on (\S+)", said)
        storage = re.search(r"inbox gs://pagemill-inbox on (\S+)", said)
        assert address is not None
        assert storage is not None
        with httpx.Client(base_url=address[1], timeout=30, trust_env=False) as http:
            yield Up(started=running, http=http, storage=storage[1])


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
    until(lambda: _are_others(system.started.parts(), parts))
    until(lambda: _is_served(system.http))
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    with up(tmp_path) as running:
        parts = running.started.pids()
        running.submitted(samples.pdf(["one"] * 40))

        code, _ = running.started.end(number)

        assert len(parts) >= 3 + 5 * 2 + 3
        assert code == 0
        assert _left(running.started, parts) == {}


def test_killed_it_leaves_nothing_behind(tmp_path: Path) -> None:
    with up(tmp_path) as running:
        running.submitted(samples.pdf(["one"] * 40))
        parts = running.started.pids()

        running.started.process.kill()
        running.started.process.wait()

        until(lambda: not _left(running.started, parts), seconds=STOPPING_SECONDS)


def test_an_emulator_that_dies_ends_it_with_its_name(tmp_path: Path) -> None:
    with up(tmp_path) as running:
        os.kill(running.started.pid("pubsub-emulator"), signal.SIGKILL)
        _, said = running.started.process.communicate(timeout=STOPPING_SECONDS)

        assert running.started.process.returncode == 1
        assert "The pubsub emulator ended" in said
        assert running.started.pids() == {}


def test_emulators_print_an_environment_that_a_worker_works_in(tmp_path: Path) -> None:
    with started(tmp_path / "emulators", "emulators", until_it_says="GOOGLE_CLOUD_PROJECT") as running:
        printed = dict(shlex.split(line)[1].split("=", 1) for line in running.said)
        worker = subprocess.Popen(
            [sys.executable, "-m", "local", "worker"],
            env=environment(tmp_path / "data") | printed,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert worker.stdout is not None
        said = worker.stdout.readline()
        worker.terminate()
        worker.communicate(timeout=STOPPING_SECONDS)

        code, _ = running.end()

        assert said == "pagemill works on pagemill\n"
        assert worker.returncode == 0
        assert code == 0
        assert running.pids() == {}


def test_emulators_end_with_the_name_of_one_that_died(tmp_path: Path) -> None:
    with started(tmp_path / "emulators", "emulators", until_it_says="GOOGLE_CLOUD_PROJECT") as running:
        os.kill(running.pid("firestore-emulator"), signal.SIGKILL)
        _, said = running.process.communicate(timeout=STOPPING_SECONDS)

        assert running.process.returncode == 1
        assert "The firestore emulator ended" in said
        assert running.pids() == {}


def _are_others(now: Mapping[int, str], before: Mapping[int, str]) -> bool:
    return sorted(now.values()) == sorted(before.values()) and not now.keys() & before.keys()


def _left(running: Started, before: Mapping[int, str]) -> dict[int, str]:
    """Return what still runs of `before`, or carries the mark."""
    alive = {pid: line for pid, line in before.items() if _is_alive(pid, line)}
    return alive | running.pids()


def _is_alive(pid: int, line: str) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() == line
    except OSError:
        return False


def _is_served(http: httpx.Client) -> bool:
    try:
        return http.get("/health").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
