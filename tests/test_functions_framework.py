"""The same application as Google's functions run it."""

import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests import samples
from tests.serving import environment, served, until

ROOT = Path(__file__).parents[1]


def test_functions_framework_serves_the_api_and_a_worker_elsewhere_ends_the_job(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "functions_framework", "--target", "submit", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port)], cwd=ROOT, env=environment(data), stderr=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as http:
            until(lambda: _is_up(http))
            posted = http.post("/infer", files={"file": ("a.pdf", samples.pdf(["one"]))})
            refused = http.post("/infer", json={})

            with served(data) as server:
                job = server.ended(posted.json()["job_id"])
            result = http.get(f"/jobs/{job['job_id']}/result.md")
    finally:
        process.terminate()
        process.wait(timeout=20)

    assert posted.status_code == 202
    assert refused.json()["code"] == "invalid_request"
    assert job["status"] == "finished"
    assert result.text.startswith("<!-- page 1 -->")


def _is_up(http: httpx.Client) -> bool:
    try:
        return http.get("/health").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
