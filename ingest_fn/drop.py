"""What is dropped into an inbox starts a job, or, where it is a list, a batch of them: once for each version of it."""

import logging
from dataclasses import dataclass, replace

from ingest_fn.batches import LISTS, drop_list
from ingest_fn.inbox import SIDECAR, Dropping, Wanted, inbox_key, read_sidecar, start, submission_of
from ingest_fn.requests import JobBody, checked
from ingest_fn.sources import too_large
from ingest_fn.submit import Submission, announce
from shared.domain.errors import InvalidRequest, TooLarge, UrlNotAllowed
from shared.domain.job import Source, SourceKind
from shared.layout import INBOX
from shared.outbox import claimed_folder
from shared.ports.objects import is_name

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """One version of an object was finished: its whole name, and its size in bytes."""

    name: str
    version: str
    size: int


def drop(dropped: Dropped, dropping: Dropping) -> None:
    """Start what `inbox/{tenant}/{path}` asks for. The same event again starts nothing, and goes on with a list.

    What else lies there starts nothing either: folders, and the options beside a document. Raises Unavailable.
    """
    tenant, _, path = dropped.name.removeprefix(INBOX).partition("/")
    if not dropped.name.startswith(INBOX) or not path or not is_name(dropped.name):
        log.warning("an object that is in no inbox was left alone", extra={"size": dropped.size})
    elif path.lower().endswith(LISTS):
        drop_list(dropped.name, dropped.version, tenant, dropping)
    elif not path.endswith(SIDECAR):
        _drop_document(dropped, tenant, dropping)


def _drop_document(dropped: Dropped, tenant: str, dropping: Dropping) -> None:
    key = inbox_key(dropped.name, dropped.version)
    known = dropping.platform.store.find(key)
    if known is None:
        start(_wanted(dropped, tenant, dropping), key, dropping)
    elif known.is_live:
        announce(known, dropping.platform)


def _wanted(dropped: Dropped, tenant: str, dropping: Dropping) -> Wanted:
    objects, most = dropping.platform.objects, dropping.platform.settings.max_bytes
    shown = dropped.name.rpartition("/")[2]
    source = Source(kind=SourceKind.OBJECT, location=dropped.name, name=shown, version=dropped.version)
    bare = Submission(tenant=tenant, outbox=claimed_folder(dropped.name, dropped.version, objects))
    wanted = Wanted(source=source, submission=bare)
    try:
        body = checked(JobBody, read_sidecar(dropped.name, objects))
        wanted = replace(wanted, submission=submission_of(body, bare, dropping))
        if dropped.size > most:
            raise too_large(most)
    except (InvalidRequest, UrlNotAllowed, TooLarge) as error:
        return replace(wanted, failure=error.failure)
    return wanted
