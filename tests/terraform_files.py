"""What terraform/ says, as far as tests ask: pipeline.json as it is, and names and strings of *.tf without a parser."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TERRAFORM = ROOT / "terraform"

_COMMENT = re.compile(r"(^|\s)#[^\n]*")


def pipeline() -> Mapping[str, Any]:
    """What Terraform and the code must agree on: Terraform reads the same file."""
    read: Mapping[str, Any] = json.loads((TERRAFORM / "pipeline.json").read_text())
    return read


def machines() -> Mapping[str, Any]:
    """How large workers are by GPU, and what CPUs, memory and GPUs cost an hour."""
    read: Mapping[str, Any] = json.loads((TERRAFORM / "machines.json").read_text())
    return read


def text(name: str) -> str:
    """A file without its comments; no string of ours holds what would look like one."""
    return _COMMENT.sub(r"\1", (TERRAFORM / name).read_text())


def everything() -> str:
    return "\n".join(text(path.name) for path in sorted(TERRAFORM.glob("*.tf")))


def map_of(file: str, name: str) -> dict[str, str]:
    """Return a local's literal map of one line each, `name = { KEY = "…" }`, its expressions as they are written."""
    found = re.search(rf"^  {name} = (?:merge\(\s*)?\{{\n(.*?)^\s*\}}", text(file), re.DOTALL | re.MULTILINE)
    assert found is not None, f"{file} has no map {name}"
    return dict(re.findall(r"^\s*([\w-]+)\s*=\s*(.+?),?\s*$", found[1], re.MULTILINE))


def variables() -> dict[str, str]:
    """Return each variable's block by its name."""
    return dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text("variables.tf"), re.DOTALL | re.MULTILINE))
