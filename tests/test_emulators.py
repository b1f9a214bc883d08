"""Google's emulators as `pagemill emulators`, `pagemill up` and the tests start them: real ones."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from local.emulator_programs import MissingPrograms, Programs, find_programs
from local.emulators import Emulators, free_ports
from local.processes import ProcessFailed
from tests.backends import missing_backend
from tests.serving import until

pytestmark = pytest.mark.google

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def programs() -> Programs:
    try:
        return find_programs(os.environ)
    except MissingPrograms:
        missing_backend("the Google emulators")


@pytest.fixture(scope="module")
def emulators(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulators]:
    with Emulators(tmp_path_factory.mktemp("emulators"), programs=programs) as running:
        yield running


def asked(host: str, method: str, path: str, body: Mapping[str, object] | None = None) -> int:
    connection = http.client.HTTPConnection(host.removeprefix("http://"), timeout=20)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def refuses(host: str) -> bool:
    try:
        asked(host, "GET", "/")
    except OSError:
        return True
    return False


def a_program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def hosts(emulators: Emulators) -> list[str]:
    return [value for name, value in emulators.variables.items() if name.endswith("_HOST")]


def test_all_three_take_requests_as_soon_as_they_are_started(emulators: Emulators) -> None:
    pubsub, firestore, storage = hosts(emulators)

    made = [
        asked(pubsub, "PUT", "/v1/projects/p/topics/some-topic", {}),
        asked(firestore, "POST", "/v1/projects/p/databases/(default)/documents/jobs", {"fields": {}}),
        asked(storage, "POST", "/storage/v1/b?project=p", {"name": "bucket"}),
    ]

    assert made == [200, 200, 200]
    assert emulators.dead() is None


def test_nothing_is_left_after_stopping(programs: Programs, tmp_path: Path) -> None:
    with Emulators(tmp_path, programs=programs) as emulators:
        were = hosts(emulators)

    assert [refuses(host) for host in were] == [True, True, True]


@pytest.mark.parametrize("place", [0, 1, 3], ids=["pubsub", "firestore", "storage"])
def test_a_port_that_another_took_in_between_is_replaced(
    emulators: Emulators, programs: Programs, tmp_path: Path, place: int
) -> None:
    """The other is an emulator of the same kind, whose answers must not be taken for our own's."""
    taken = dict(zip((0, 1, 3), (int(host.rpartition(":")[2]) for host in hosts(emulators)), strict=True))
    found = [free_ports(4), free_ports(4)]
    found[0][place] = taken[place]
    rest = list(found)

    with Emulators(tmp_path, programs=programs, ports=lambda _: rest.pop(0)) as second:
        ports = [int(host.rpartition(":")[2]) for host in hosts(second)]

        assert ports == [found[1][0], found[1][1], found[1][3]]
        assert second.dead() is None


def test_one_that_dies_is_named(programs: Programs, tmp_path: Path) -> None:
    with Emulators(tmp_path, programs=programs) as emulators:
        processes = {process.name: process for process in emulators.processes}

        os.kill(processes["firestore"].pid, signal.SIGKILL)
        until(lambda: emulators.dead() is not None)

        dead = emulators.dead()
        assert dead is not None
        assert (dead.name, dead.exit_code()) == ("firestore", -signal.SIGKILL)


def test_they_end_with_a_parent_that_is_killed(programs: Programs, tmp_path: Path) -> None:
    del programs
    if shutil.which("setpriv") is None:
        missing_backend("setpriv")
    program = f"""
from pathlib import Path
from local.emulators import Emulators
with Emulators(Path({str(tmp_path)!r})) as emulators:
    print(*(value for name, value in emulators.variables.items() if name.endswith("_HOST")), flush=True)
    input()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    were = parent.stdout.readline().split()

    parent.kill()
    parent.communicate()

    assert len(were) == 3
    until(lambda: all(refuses(host) for host in were))


def test_one_that_does_not_start_is_told_with_what_it_said_and_the_others_are_stopped(
    programs: Programs, tmp_path: Path
) -> None:
    broken = a_program(tmp_path / "storage", "echo cannot hold any objects; exit 3")
    own = Programs(
        java=programs.java, pubsub_jar=programs.pubsub_jar, firestore_jar=programs.firestore_jar, storage=broken
    )
    emulators = Emulators(tmp_path / "logs", programs=own)

    with pytest.raises(ProcessFailed, match=r"(?s)The storage emulator did not start.*cannot hold any objects"):
        emulators.start()

    assert all(process.exit_code() is not None for process in emulators.processes)


def test_everything_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(MissingPrograms) as missing:
        find_programs({"PATH": str(tmp_path)}, usual=())

    told = str(missing.value)
    assert "openjdk" in told
    assert "gcloud components install pubsub-emulator" in told
    assert "gcloud components install cloud-firestore-emulator" in told


@pytest.mark.parametrize(("version", "enough"), [("1.8.0_402", False), ("11.0.2", True), ("21", True)])
def test_java_must_be_new_enough(programs: Programs, tmp_path: Path, version: str, enough: bool) -> None:
    a_program(tmp_path / "java", f"echo 'openjdk version \"{version}\"' >&2")
    environment = {"PATH": str(tmp_path), "CLOUDSDK_ROOT": str(programs.firestore_jar.parents[2])}

    try:
        found = find_programs(environment, usual=()).java == tmp_path / "java"
    except MissingPrograms as missing:
        found = not any("java" in problem for problem in missing.problems)

    assert found is enough


def test_a_linked_gcloud_leads_to_its_jars(programs: Programs, tmp_path: Path) -> None:
    sdk = tmp_path / "sdk"
    (sdk / "bin").mkdir(parents=True)
    (sdk / "platform").symlink_to(programs.firestore_jar.parents[1])
    (tmp_path / "gcloud").symlink_to(a_program(sdk / "bin" / "gcloud", ""))
    path = f"{tmp_path}:{programs.java.parent}:{programs.storage.parent}"

    found = find_programs({"PATH": path}, usual=())

    assert found.firestore_jar == sdk / "platform" / "cloud-firestore-emulator" / "cloud-firestore-emulator.jar"
