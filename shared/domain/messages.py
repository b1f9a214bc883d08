"""What travels on the bus: small, versioned hints. The store is the truth; a lost message costs time, never a job."""

import json
import re
from dataclasses import asdict, dataclass
from enum import StrEnum

from shared.domain.errors import PagemillError
from shared.domain.job import JobId
from shared.domain.options import Lane

VERSION = 1


class Topic(StrEnum):
    DOCUMENTS = "documents"
    PAGES_EXPRESS = "pages-express"
    PAGES_BULK = "pages-bulk"
    OUTCOMES = "outcomes"


PAGES: dict[Lane, Topic] = {Lane.EXPRESS: Topic.PAGES_EXPRESS, Lane.BULK: Topic.PAGES_BULK}


class MalformedMessage(PagemillError):
    """Not one of ours, or of a version that this code does not know: counted and acked, never redelivered for ever."""

    code = "malformed_message"
    public = "The message cannot be understood."


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareDocument:
    job_id: JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRange:
    job_id: JobId
    range_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundEnded:
    job_id: JobId
    round: int


Message = PrepareDocument | ReadRange | RoundEnded

_KINDS: dict[str, type[PrepareDocument] | type[ReadRange] | type[RoundEnded]] = {
    "prepare_document": PrepareDocument,
    "read_range": ReadRange,
    "round_ended": RoundEnded,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_ID = re.compile(r"[A-Za-z0-9._-]{1,200}")


def to_bytes(message: Message) -> bytes:
    return json.dumps({"v": VERSION, "type": _NAMES[type(message)], **asdict(message)}).encode()


def from_bytes(data: bytes) -> Message:
    """Raises MalformedMessage."""
    try:
        fields = json.loads(data)
        if fields.pop("v") != VERSION:
            raise MalformedMessage("unknown version")
        kind = _KINDS[fields.pop("type")]
        if not all(_is_plausible(name, value) for name, value in fields.items()):
            raise MalformedMessage(f"{len(data)} bytes: a field of another type")
        return kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedMessage(f"{len(data)} bytes: {type(error).__name__}") from error


def _is_plausible(name: str, value: object) -> bool:
    if name == "round":
        return type(value) is int and value > 0
    return isinstance(value, str) and _ID.fullmatch(value) is not None
