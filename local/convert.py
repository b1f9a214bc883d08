"""`pagemill convert`: the real pipeline in this process, for some documents; interrupted, it goes on where it was."""

import fcntl
import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ingest_fn.submit import Submission, Upload, new_id, sha256_of, submit_upload, submit_url
from local.system import System
from shared.config import Settings
from shared.domain.job import Job, JobId, Progress
from shared.ports.jobs import JobStore

_TRIES = 2
_NOWHERE = "http://127.0.0.1"
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A file or a URL, and the name that its output goes by. `identity` changes with the content, or the URL."""

    given: str
    name: str
    identity: str

    @property
    def is_url(self) -> bool:
        return "://" in self.given


def inputs(given: Sequence[str]) -> list[Input]:
    """Look at each file once. Raises OSError where one cannot be read. Equal names are told apart by a number."""
    found: list[Input] = []
    names: dict[str, int] = {}
    for each in given:
        name = Path(each.split("?")[0] if "://" in each else each).stem or "document"
        names[name] = names.get(name, 0) + 1
        if names[name] > 1:
            name = f"{name}-{names[name]}"
        found.append(Input(given=each, name=name, identity=_identity(each)))
    return found


@contextmanager
def conversion(settings: Settings, documents: Sequence[Input], submission: Submission) -> Iterator["Conversion"]:
    """Run the pipeline in a folder of this conversion's own, which goes when every document has ended.

    Interrupted, it stays: the same documents with the same options go on from there. A second process with the same
    conversion waits for the first.
    """
    wanted = [document.identity for document in documents], asdict(submission), settings.engine
    key = hashlib.sha256(json.dumps(wanted, default=sorted).encode()).hexdigest()[:32]
    folder = settings.data / "convert" / key
    with _locked(folder):
        _remove_old(settings)
        # Somebody sits there and waits: a server that is down is asked once more, not for six minutes.
        system = System(
            replace(settings, data=folder, fetch_tries=min(settings.fetch_tries, _TRIES)), base_url=_NOWHERE
        )
        running = Conversion(system, documents, submission)
        try:
            system.start()
            running.submit()
            yield running
        finally:
            system.stop()
        shutil.rmtree(folder)


class Conversion:
    """Some documents under way. Its folder is gone when its context ends: take the results before that."""

    def __init__(self, system: System, documents: Sequence[Input], submission: Submission) -> None:
        self._system, self._documents, self._submission = system, documents, submission
        self.platform = system.embedded.platform
        self.jobs: dict[str, JobId] = {}

    @property
    def store(self) -> JobStore:
        return self.platform.store

    def submit(self) -> None:
        """Raises UrlNotAllowed and InvalidRequest, and OSError where a file is gone."""
        for document in self._documents:
            self.jobs[document.name] = self._submitted(document).id

    def progress(self, document: Input) -> tuple[Job, Progress]:
        job = self.store.get(self.jobs[document.name])
        return job, self.store.progress(job)

    def waited(self, document: Input) -> Iterator[Progress]:
        """Yield the progress now and then until the document has ended."""
        while True:
            job, progress = self.progress(document)
            yield progress
            if not job.is_unfinished:
                return
            time.sleep(_POLL_SECONDS)

    def _submitted(self, document: Input) -> Job:
        submission = replace(self._submission, idempotency_key=document.name)
        if document.is_url:
            url = str(self._system.context.sources.check(document.given))
            return submit_url(submission, url, platform=self.platform, new_id=new_id).job
        with Path(document.given).open("rb") as file:
            upload = Upload(file=file, name=Path(document.given).name, sha256=sha256_of(file))
            return submit_upload(submission, upload, platform=self.platform, new_id=new_id).job


def _identity(given: str) -> str:
    if "://" in given:
        return given
    with Path(given).open("rb") as file:
        return sha256_of(file)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = folder.with_suffix(".lock")
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield
        lock.unlink(missing_ok=True)


def _remove_old(settings: Settings) -> None:
    """Remove what was interrupted and never gone on with, once it is older than results are kept."""
    limit = time.time() - settings.retention_days * 86_400
    for folder in (settings.data / "convert").iterdir():
        if folder.is_dir() and folder.stat().st_mtime < limit:
            shutil.rmtree(folder)
