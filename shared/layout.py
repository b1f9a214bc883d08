"""Where a job's objects lie. One place knows the names; no name comes from a caller."""

import hashlib

from shared.domain.job import JobId


def page_object(job_id: JobId, number: int) -> str:
    return f"jobs/{job_id}/pages/{number:04d}.json"


def page_image(job_id: JobId, number: int) -> str:
    return f"jobs/{job_id}/pages/{number:04d}.jpg"


def image_object(job_id: JobId, name: str) -> str:
    """`name` is a block's `image`: "images/…", as the Markdown links to it."""
    return f"jobs/{job_id}/{name}"


def image_name(data: bytes, *, suffix: str) -> str:
    """Named by content: no collisions, no page numbers, safe to share and to try again."""
    return f"images/{hashlib.sha256(data).hexdigest()[:16]}.{suffix}"


def cached_page(tenant: str, key: str) -> str:
    """The prefix of one entry; `key` is "{recipe}/{digest}"."""
    return f"{cache_part(_digest(key))}{tenant}/pages/{key}/"


def cached_document(tenant: str, key: str) -> str:
    return f"{cache_part(_digest(key))}{tenant}/documents/{key}/"


def cache_part(digest: str) -> str:
    """The cache lies in 256 parts, by the first two hex digits, so that a sweep can look into one at a time."""
    return f"cache/{digest[:2]}/"


def erased_entries(job_id: JobId) -> str:
    """Names the cache entries of an erased job, until its tombstone goes."""
    return f"jobs/{job_id}/erased-entries.json"


def result_markdown(job_id: JobId, round_: int) -> str:
    return f"jobs/{job_id}/results/{round_}/result.md"


def result_json(job_id: JobId, round_: int) -> str:
    return f"jobs/{job_id}/results/{round_}/result.json"


def _digest(key: str) -> str:
    return key.rpartition("/")[2]


UPLOADS = "uploads/"
INBOX = "inbox/"


def upload_object(tenant: str, random: str) -> str:
    return f"{UPLOADS}{tenant}/{random}"


def upload_users(upload: str) -> str:
    """Below this prefix stands an empty object for each job that was started on an upload, named by the job's id."""
    tenant, _, rest = upload.removeprefix(UPLOADS).partition("/")
    return f"{UPLOADS}{tenant}/used/{hashlib.sha256(rest.encode()).hexdigest()[:32]}/"


def is_own(name: str, tenant: str) -> bool:
    """Whether the object is one that this tenant uploaded or dropped, and so may have read."""
    return name.startswith((f"{UPLOADS}{tenant}/", f"{INBOX}{tenant}/"))
