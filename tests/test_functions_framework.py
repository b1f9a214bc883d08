"""The same application as Google's functions run it."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from shared.config import SettingsError
from shared.functions import opened_function
from tests import samples
from tests.serving import environment, served, until

ROOT = Path(__file__).parents[1]
SECRET = "the-patients-name"


@contextmanager
def function(target: str, folder: Path, *arguments: str, **settings: str) -> Iterator[httpx.Client]:
    """Run a function on the data below the folder; what it says goes to `said` there."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "functions_framework", "--target", target, "--host", "127.0.0.1", *arguments]
    variables = environment(folder / "data", **settings) | {"PYTHONPATH": str(ROOT)}
    with (folder / "said").open("w") as said:
        process = subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, env=variables, stdout=said, stderr=said)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as http:
            until(lambda: _is_up(http))
            yield http
    finally:
        process.terminate()
        process.wait(timeout=20)


def _is_up(http: httpx.Client) -> bool:
    """The framework itself answers this path."""
    try:
        return http.get("/robots.txt").status_code == httpx.codes.NOT_FOUND
    except httpx.TransportError:
        return False


def test_functions_framework_serves_the_api_and_a_worker_elsewhere_ends_the_job(tmp_path: Path) -> None:
    with function("submit", tmp_path) as http:
        posted = http.post("/infer", files={"file": ("a.pdf", samples.pdf(["one"]))})
        refused = http.post("/infer", json={})

        with served(tmp_path / "data") as server:
            job = server.ended(posted.json()["job_id"])
        result = http.get(f"/jobs/{job['job_id']}/result.md")

    assert posted.status_code == 202
    assert refused.json()["code"] == "invalid_request"
    assert job["status"] == "finished"
    assert result.text.startswith("<!-- page 1 -->")


def test_a_crash_is_answered_and_logged_without_a_word_of_what_it_was_about(tmp_path: Path) -> None:
    """Neither the error's text nor the path may reach the logs, whoever serves the application."""
    with function("crashing", tmp_path, "--source", "tests/crashing_function.py", LOG_LEVEL="DEBUG") as http:
        answer = http.get(f"/crash/{SECRET}")
        with pytest.raises(httpx.RemoteProtocolError):
            http.get(f"/break-off/{SECRET}")
    said = (tmp_path / "said").read_text()

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert SECRET not in said
    crashes = [json.loads(line) for line in said.splitlines() if '"crashed"' in line]
    assert [line["exception"].splitlines()[-1] for line in crashes] == ["LookupError", "LookupError"]
    assert all("crashing_function.py" in line["exception"] for line in crashes)


GOOGLE = {"PAGEMILL_PLATFORM": "google", "PAGEMILL_BUCKET": "mill"}


def test_a_function_that_lacks_a_setting_names_it_and_opens_nothing() -> None:
    with pytest.raises(SettingsError) as refused:
        opened_function(GOOGLE, name="drop", needs=("inbox_bucket", "sealing_key"))

    assert refused.value.problems == ["drop needs PAGEMILL_INBOX_BUCKET.", "drop needs PAGEMILL_SEALING_KEY."]


def test_drop_without_an_inbox_takes_no_event(tmp_path: Path) -> None:
    with function("drop", tmp_path, PLATFORM="google", BUCKET="mill") as http:
        answer = http.post("/", json={"bucket": "inbox", "name": "inbox/acme/a.pdf", "generation": "1"})

    assert answer.status_code == 500
    assert "drop needs PAGEMILL_INBOX_BUCKET" in (tmp_path / "said").read_text()
