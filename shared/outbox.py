"""Where in the outbox the results of what was dropped lie: `outbox/{tenant}/{name}/`, and folders below it that are
named so that no other name's results can come to lie in them.
"""

import hashlib
import json
import re

from shared.layout import INBOX
from shared.ports.objects import ObjectStore, is_name

OUTBOX = "outbox/"
SUCCESS = "_SUCCESS"
ERROR = "_ERROR.json"
REPORT = "report.jsonl"
_OWNER = "_SOURCE.json"
_OURS = re.compile(r"^(_+)(?=(?:round|version|line|long)-)")
_LONGEST_BELOW = "/_version-0123456789012345678901234567890/_line-000001/_round-1000/images/0123456789abcdef.png"


def outbox_folder(name: str) -> str:
    """Return the folder for an object of the inbox: its own name, below another root.

    Segments that could be one of ours get one more underscore; a name that leaves no room for what goes below it is
    replaced by its digest. No two names have the same folder, nor does one lie in another's.
    """
    tenant, _, path = name.removeprefix(INBOX).partition("/")
    kept = "/".join(_OURS.sub(r"\1_", segment) for segment in path.split("/"))
    folder = f"{OUTBOX}{tenant}/{kept}"
    if is_name(folder + _LONGEST_BELOW):
        return folder
    return f"{OUTBOX}{tenant}/_long-{hashlib.sha256(path.encode()).hexdigest()[:32]}"


def claimed_folder(name: str, version: str, objects: ObjectStore) -> str:
    """Return the folder for this version of an object of the inbox: its name's own where no other version has that,
    else one below it. Calling it again returns the same, while the outbox keeps the mark that says whose it is.
    """
    folder = outbox_folder(name)
    mark, owner = f"{folder}/{_OWNER}", _encoded({"source": name, "version": version})
    if objects.create(mark, owner) or objects.read(mark) == owner:
        return folder
    return f"{folder}/_version-{version}"


def line_folder(folder: str, line: int) -> str:
    return f"{folder}/_line-{line:06d}"


def round_folder(folder: str, round_: int) -> str:
    """The first round's results lie in the job's own folder: what was written once is not written over."""
    return folder if round_ == 1 else f"{folder}/_round-{round_}"


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
