"""A Google Cloud project on emulators: what its parts find in their environment, and what is made before they start."""

import base64
import fcntl
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from local.emulators import HOST, Emulators
from local.processes import Command, Process, ProcessFailed, stop
from shared.config import PREFIX, Settings
from shared.sealing import KEY_BYTES

_PROVISION_SECONDS = 60.0

_FIXED = {"PLATFORM": "google"}
_FRESH = {
    "PROJECT": "pagemill",
    "NAMES": "pagemill",
    "BUCKET": "pagemill-data",
    "INBOX_BUCKET": "pagemill-inbox",
    "UPLOADS_BUCKET": "pagemill-uploads",
    "OUTBOX_BUCKET": "pagemill-outbox",
}
_NOT_HERE = ("PUSH_AUDIENCE", "PUSH_ACCOUNT")
"""The emulator's pushes carry no tokens."""


def project_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a new project: those of `environment`, the rest made up, with a key of its own."""
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    given = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    fresh = {PREFIX + name: value for name, value in (_FRESH | {"SEALING_KEY": key}).items()}
    left_out = {PREFIX + name for name in _NOT_HERE}
    fixed = {PREFIX + name: value for name, value in _FIXED.items()}
    return {name: value for name, value in (fresh | given | fixed).items() if name not in left_out}


def events_name(settings: Settings) -> str:
    """The topic, and the subscription, that the inbox's events travel on."""
    return f"{settings.names}-storage-events"


def emulators(folder: Path, settings: Settings, *, events: bool) -> Emulators:
    """Return the emulators, not started yet; with `events` the inbox's objects are told. Raises MissingPrograms."""
    told = [
        "-event.pubsub-project-id", settings.project, "-event.pubsub-topic", events_name(settings),
        "-event.bucket", settings.inbox_bucket or "", "-event.list", "finalize",
    ]  # fmt: skip
    return Emulators(folder, project=settings.project, storage=told if events else ())


def parts_environment(environment: Mapping[str, str], *more: Mapping[str, str]) -> dict[str, str]:
    """Return what every part is started with: `environment` without our settings, and then `more`."""
    clean = {name: value for name, value in environment.items() if not name.startswith(PREFIX)}
    for each in more:
        clean |= each
    # A proxy for the world outside would be asked for the emulators as well.
    return clean | {"NO_PROXY": HOST, "no_proxy": HOST, "PYTHONUNBUFFERED": "1"}


def buckets(settings: Settings) -> dict[str, str | None]:
    """Return each bucket's name by what it is for."""
    return {
        "results": settings.bucket,
        "inbox": settings.inbox_bucket,
        "uploads": settings.uploads_bucket,
        "outbox": settings.outbox_bucket,
    }


def provision(environment: Mapping[str, str], folder: Path, **where: str) -> None:
    """Make buckets, topics and subscriptions, in a process of its own: it brings all SDKs. Raises ProcessFailed.

    `where`: the URLs that topics are pushed to, by topic; `events`, the name of the inbox's events.
    """
    arguments = [sys.executable, "-m", "local.provision", *(f"{name}={value}" for name, value in where.items())]
    log = folder / "provision.log"
    log.unlink(missing_ok=True)
    process = Process(Command(name="provision", arguments=arguments, environment=environment), log)
    try:
        if not process.wait(time.monotonic() + _PROVISION_SECONDS) or process.exit_code():
            raise ProcessFailed(f"The emulators could not be set up. It said ({log}):\n{process.tail()}")
    finally:
        stop([process], seconds=1)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Two at once would write each other's logs. Raises ProcessFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ProcessFailed(f"Another one keeps its logs in {folder}; --data names another folder.") from error
        yield


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal as Ctrl-C."""
    raise KeyboardInterrupt
