"""What the doctor looks at of the platform: data folder and SQLite, or Google's services; and what signs callbacks."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from local.doctor import Verdict, failed, ok, skipped
from shared.adapters.embedded.database import Database
from shared.config import Settings
from shared.domain.errors import PagemillError, Unavailable

_DATABASE = "pagemill.sqlite"


def examine_platform(settings: Settings) -> Iterator[Verdict]:
    yield from _google(settings) if settings.platform == "google" else _embedded(settings)
    yield check_callback_secret(settings)


def check_callback_secret(settings: Settings) -> Verdict:
    if settings.callback_secret:
        return ok("callbacks", f"signed with {len(settings.callback_secret)} secret(s) of PAGEMILL_CALLBACK_SECRET")
    if settings.platform == "embedded":
        return ok("callbacks", "signed with this installation's own secret: `pagemill config --reveal` shows it")
    if settings.sealing_key is not None:
        return ok("callbacks", "signed with a secret made of PAGEMILL_SEALING_KEY")
    return failed("callbacks", "nothing is there to sign them with", "set PAGEMILL_CALLBACK_SECRET to a whsec_…")


def _embedded(settings: Settings) -> Iterator[Verdict]:
    folder = _existing(settings.data)
    made = "" if folder == settings.data else ", which is made at the first start"
    remedy = "make it writable for this user, or have PAGEMILL_DATA name another folder"
    try:
        with tempfile.TemporaryDirectory(prefix=".pagemill-doctor-", dir=folder) as scratch:
            yield ok("data", f"{settings.data} is writable{made}")
            yield _sqlite(settings, Path(scratch))
    except OSError as error:
        yield failed("data", f"{settings.data} cannot be written: {error.strerror}", remedy)
        yield skipped("sqlite", "the data folder comes first")


def _sqlite(settings: Settings, scratch: Path) -> Verdict:
    """A new one, since not every file system can do what its log needs; then the one that is there."""
    try:
        Database(scratch / "new.sqlite").close()
    except Unavailable as error:
        remedy = "have PAGEMILL_DATA name a folder on a disk of this machine: network file systems lack locks"
        return failed("sqlite", f"no database works in {settings.data}: {error}", remedy)
    there = settings.data / _DATABASE
    if not there.exists():
        return ok("sqlite", "works; no database is there yet")
    try:
        Database(there).close()
    except Unavailable as error:
        return failed("sqlite", f"{there} does not open: {error}", "put a backup in its place, or move it away")
    return ok("sqlite", f"{there} opens")


def _existing(folder: Path) -> Path:
    return next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))


def _google(settings: Settings) -> Iterator[Verdict]:
    # The SDKs take a second to import.
    from shared.adapters.google.checkup import Checkup  # noqa: PLC0415

    remedy = "gcloud auth application-default login, or run as a service account of the project"
    try:
        checkup = Checkup(settings)
        yield ok("credentials", checkup.identity())
    except PagemillError as error:
        yield failed("credentials", _why(error), remedy)
        yield from (skipped(name, "the credentials come first") for name in ("bucket", "firestore", "topics"))
        return
    try:
        yield _bucket(settings, checkup.buckets)
        database = "have PAGEMILL_PROJECT and PAGEMILL_DATABASE name a Firestore database in native mode"
        yield _looked("firestore", checkup.database, database)
        yield _looked("topics", checkup.topics, "apply terraform/, or have PAGEMILL_NAMES name another installation")
    finally:
        checkup.close()


def _bucket(settings: Settings, look: Callable[[], str]) -> Verdict:
    if settings.bucket is None:
        return failed("bucket", "PAGEMILL_BUCKET is not set", "set it to the bucket of jobs and results")
    return _looked("bucket", look, "apply terraform/, or correct the names of the buckets")


def _looked(check: str, look: Callable[[], str], remedy: str) -> Verdict:
    try:
        return ok(check, look())
    except PagemillError as error:
        return failed(check, _why(error), f"{remedy}; see that these credentials may read it")


def _why(error: PagemillError) -> str:
    return f"{error} ({error.__cause__})" if error.__cause__ else str(error)
