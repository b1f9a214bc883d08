"""A real `pagemill up` or `pagemill emulators`, and all processes that belong to it."""

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from local.emulator_programs import MissingPrograms, find_programs
from tests.backends import missing_backend
from tests.serving import Json, environment, until

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


def _parent(pid: int) -> int | None:
    """None where it has ended meanwhile."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    except OSError:
        return None


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


@contextmanager
def started(folder: Path, *arguments: str, until_it_says: str, **settings: str) -> Iterator[Started]:
    _need_programs()
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


def _need_programs() -> None:
    try:
        find_programs(os.environ)
    except MissingPrograms:
        missing_backend("the Google emulators")


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


def left_of(running: Started, before: Mapping[int, str]) -> dict[int, str]:
    """Return what still runs of `before`, or carries the mark."""
    alive = {pid: line for pid, line in before.items() if _is_alive(pid, line)}
    return alive | running.pids()


def _is_alive(pid: int, line: str) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() == line
    except OSError:
        return False
