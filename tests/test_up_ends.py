"""How `pagemill up` and `pagemill emulators` end: nothing of them is left, whatever ended them."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import samples
from tests.serving import environment, until
from tests.starting import STOPPING_SECONDS, left_of, started, up

pytestmark = [pytest.mark.google, pytest.mark.long, pytest.mark.timeout(240)]


def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    with up(tmp_path) as running:
        parts = running.started.pids()
        running.submitted(samples.pdf(["one"] * 40))

        code, _ = running.started.end(signal.SIGINT)

        assert len(parts) >= 3 + 5 * 2 + 3
        assert code == 0
        assert left_of(running.started, parts) == {}


def test_killed_it_leaves_nothing_behind(tmp_path: Path) -> None:
    with up(tmp_path) as running:
        running.submitted(samples.pdf(["one"] * 40))
        parts = running.started.pids()

        running.started.process.kill()
        running.started.process.wait()

        until(lambda: not left_of(running.started, parts), seconds=STOPPING_SECONDS)


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
