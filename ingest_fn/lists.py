"""A list of documents, line by line: what each line asks for, and what is wrong with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import BinaryIO
from urllib.parse import urlsplit

from ingest_fn.inbox import Dropping, Wanted, submission_of
from ingest_fn.requests import LineBody, checked, read_json
from ingest_fn.sources import checked_source
from ingest_fn.submit import Submission
from shared.domain.errors import InvalidRequest, TooLarge, UrlNotAllowed
from shared.domain.job import Source, SourceKind

LONGEST_LINE = 1 << 16
"""In bytes: room for a URL, a callback's and a password, each as long as it may be."""

_JSON = ".jsonl"
_BOM = b"\xef\xbb\xbf"
_LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`number` counts every line of the list from 1. `is_whole` is False where it was too long to be read."""

    number: int
    text: bytes
    is_whole: bool = True


def lines(file: BinaryIO, name: str) -> Iterator[Line]:
    """Yield the lines that ask for something: not the blank ones, nor, in a list of URLs, those that begin with #."""
    is_json = name.lower().endswith(_JSON)
    for number in count(1):
        text = file.readline(LONGEST_LINE)
        if not text:
            return
        is_whole = _is_whole(text, file)
        stripped = text.removeprefix(_BOM).strip() if number == 1 else text.strip()
        if stripped and (is_json or not stripped.startswith(b"#")):
            yield Line(number=number, text=stripped, is_whole=is_whole)


def _is_whole(text: bytes, file: BinaryIO) -> bool:
    """Whether the line ends where it was read to; the rest of one that does not is passed over."""
    whole = True
    while len(text) == LONGEST_LINE and not text.endswith(b"\n"):
        text = file.readline(LONGEST_LINE)
        whole = whole and not text
    return whole


def wanted(line: Line, name: str, bare: Submission, defaults: Mapping[str, object], dropping: Dropping) -> Wanted:
    """Return the job that the line asks for, in the place that `bare` names; a bad line's has failed already."""
    nothing = Source(kind=SourceKind.URL, location="", name=f"line {line.number}")
    found = Wanted(source=nothing, submission=bare)
    try:
        body = checked(LineBody, {**defaults, **_fields(line, name)})
        found = replace(found, source=replace(nothing, name=_shown(body.source) or nothing.name))
        found = replace(found, submission=submission_of(body, bare, dropping))
        objects = dropping.platform.objects
        source = checked_source(body.source, tenant=bare.tenant, guard=dropping.sources, objects=objects)
    except (InvalidRequest, UrlNotAllowed, TooLarge) as error:
        return replace(found, failure=error.failure)
    return replace(found, source=source)


def _fields(line: Line, name: str) -> dict[str, object]:
    if not line.is_whole:
        raise TooLarge(public=f"The line is longer than {LONGEST_LINE:,} bytes.")
    try:
        text = line.text.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("not UTF-8", public="The line is not UTF-8.") from error
    if not name.lower().endswith(_JSON):
        return {"url": text}
    fields = read_json(text, what="The line")
    if not isinstance(fields, dict):
        raise InvalidRequest("no object", public="The line is not a JSON object.")
    return fields


def _shown(url: str) -> str:
    """The last part of the path of a URL that may be refused for anything else that it holds."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    is_url = parts.scheme in {"http", "https", "gs"}
    return parts.path.rpartition("/")[2][:_LONGEST_SHOWN] if is_url else ""
