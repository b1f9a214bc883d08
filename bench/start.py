"""How long the `submit` function takes from nothing to its first answer, beside importing Google's clients alone.

    python -m bench.start [--json]

A process of functions-framework is started on the emulators and asked, again and again from its start on, to take a
job; the time is until it has. Beside it stands a process that imports the three clients and ends; `start.packages` is
one that imports functions-framework, its server and FastAPI as well, and nothing of ours. All in turn.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from bench.report import Figure, show, wants_json
from local.emulators import HOST, Emulators, free_ports
from local.parts import ROOT
from local.project import parts_environment, project_settings, provision

TURNS = 5
_PAUSE_SECONDS = 0.01
_CLIENTS = "from google.cloud import firestore, pubsub_v1, storage"
_PACKAGES = f"{_CLIENTS}; import functions_framework._cli, functions_framework.aio, uvicorn, fastapi"


def main() -> None:
    show(measure(), as_json=wants_json(__doc__))


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, Emulators(Path(folder)) as emulators:
        environment = parts_environment(os.environ, project_settings({}), emulators.variables)
        provision(environment, Path(folder))
        turns = [(_first_answer(environment), _imports(_PACKAGES), _imports(_CLIENTS)) for _ in range(TURNS)]
    answers, packages, imports = (median(values) for values in zip(*turns, strict=True))
    return [
        Figure(name="start.submit", value=answers, unit="s", baseline=imports, goal=1.3, lower_is_better=True),
        Figure(name="start.packages", value=packages, unit="s", baseline=imports),
    ]


def _imports(statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - started


def _first_answer(environment: Mapping[str, str]) -> float:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "functions_framework", "--target", "submit", "--host", HOST, "--port", str(port)]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        while not _is_taken(port):
            time.sleep(_PAUSE_SECONDS)
        return time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


def _is_taken(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    body = json.dumps({"pdf_url": "https://example.com/a.pdf"})
    try:
        connection.request("POST", "/infer", body, {"Content-Type": "application/json"})
        return connection.getresponse().status == http.client.ACCEPTED
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    main()
