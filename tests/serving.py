"""A real `pagemill serve` process, and what tests do with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx

from shared.domain.status import UNFINISHED

ENDING_SECONDS = 60.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """`http` speaks to the server, `data` is its folder."""

    process: subprocess.Popen[str]
    http: httpx.Client
    data: Path

    def post_url(self, url: str, **fields: object) -> httpx.Response:
        return self.http.post("/infer", json={"pdf_url": url, **fields})

    def post_file(self, data: bytes, name: str = "document.pdf", **fields: str) -> httpx.Response:
        return self.http.post("/infer", files={"file": (name, data)}, data=fields)

    def submitted(self, data: bytes, **fields: str) -> str:
        answer = self.post_file(data, **fields)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def ended(self, job_id: str) -> Json:
        """Wait until the job has ended and return it."""
        until = time.monotonic() + ENDING_SECONDS
        while time.monotonic() < until:
            job = cast("Json", self.http.get(f"/jobs/{job_id}", params={"wait": 10}).json())
            if job["status"] not in UNFINISHED:
                return job
        raise AssertionError(f"{job_id} did not end: {job}")

    def markdown(self, job_id: str) -> str:
        return self.http.get(f"/jobs/{job_id}/result.md").text

    def error_of(self, data: bytes, **fields: str) -> str:
        """Submit, wait for the end, and return the failed job's code."""
        job = self.ended(self.submitted(data, **fields))
        assert job["status"] == "failed", job
        return str(job["error"]["code"])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=30)


def environment(data: Path, **settings: str) -> dict[str, str]:
    """The test process's environment without settings of ours but these. Nothing is cached unless they say so."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PAGEMILL_")}
    ours = {"DATA": str(data), "ENGINE": "null", "PORT": "0", "FETCH_ALLOW": "127.0.0.1", "CALLBACK_ALLOW_HTTP": "true"}
    ours["CACHE_DAYS"] = "0"
    return clean | {f"PAGEMILL_{name}": value for name, value in (ours | settings).items()}


@contextmanager
def served(
    data: Path, settings: Mapping[str, str] | None = None, *, others: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Start a server and end it, by its own process id, whatever happens. `others` are variables without our prefix."""
    command = [sys.executable, "-m", "local", "serve"]
    log = (data.parent / f"{data.name}.log").open("a")
    process = subprocess.Popen(
        command,
        env=environment(data, **(settings or {})) | dict(others or {}),
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        with httpx.Client(base_url=_address(process), timeout=70, trust_env=False) as http:
            yield Served(process=process, http=http, data=data)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        assert process.stdout is not None
        process.stdout.close()
        log.close()


def until(happened: Callable[[], bool], seconds: float = 40.0) -> None:
    """Wait for a condition; fail where it does not come true in time."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("pagemill serves on http://"), f"it said {line!r} and exited with {process.poll()}"
    return line.split()[-1]
