"""The commands of docs/operate/, out of their blocks and split as a shell splits them, and what the Cloud SDK knows."""

import importlib.util
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from local.emulator_programs import USUAL_SDKS

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_HEREDOC = re.compile(r"<<(\w+)\n.*?^\1$", re.DOTALL | re.MULTILINE)
_SEPARATORS = re.compile(r"^[;&|()]+$")
_KEYWORDS = frozenset({"while", "do", "done", "for", "if", "then", "fi", "&&", "||", "!"})
_GLOBAL_FLAGS = frozenset({"--project", "--format", "--quiet"})
_COMPLETIONS = "data/cli/gcloud_completions.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`page` is the document that it stands in; `words` begin with the program."""

    page: str
    words: Sequence[str]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def blocks(document: Path) -> list[str]:
    return _BLOCK.findall(document.read_text())


def commands(document: Path) -> Iterator[Command]:
    for block in blocks(document):
        text = _HEREDOC.sub("", block).replace("\\\n", " ").replace("\n", " ;\n")
        inner = re.findall(r"\$\(([^()$]*(?:\$\w+[^()$]*)*)\)", text)
        for line in (re.sub(r"\$\([^()]*\)", "VALUE", text), *inner):
            yield from (Command(page=document.name, words=words) for words in _split(line))


def _split(text: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    for word in [*lexer, ";"]:
        if _SEPARATORS.match(word):
            yield from _one(words)
            words = []
        else:
            words.append(word)


def _one(words: list[str]) -> Iterator[list[str]]:
    while words and (words[0] in _KEYWORDS or re.match(r"^\w+=", words[0])):
        words = [] if words[0] == "for" else words[1:]
    if words:
        yield words


@cache
def gcloud_tree() -> Mapping[str, Any] | None:
    """The commands and flags of the Cloud SDK, as it ships them for completion; None where it is not installed."""
    roots = [os.environ.get("CLOUDSDK_ROOT", ""), *USUAL_SDKS]
    for path in (Path(root).expanduser() / _COMPLETIONS for root in roots if root):
        if path.exists():
            spec = importlib.util.spec_from_file_location("gcloud_completions", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            tree: Mapping[str, Any] = module.STATIC_COMPLETION_CLI_TREE
            return tree
    return None


def wrong_with_gcloud(words: Sequence[str], tree: Mapping[str, Any]) -> list[str]:
    """Return what the SDK doesn't know: a command's path, or its flags."""
    node, rest = tree, list(words[1:])
    while rest and rest[0] in node.get("commands", {}):
        node = node["commands"][rest.pop(0)]
    if node.get("commands"):
        return [f"no command: {shlex.join(words)}"]
    flags = {word.split("=")[0] for word in rest if word.startswith("--")}
    return [f"{flag} of {shlex.join(words)}" for flag in sorted(flags - set(node.get("flags", {})) - _GLOBAL_FLAGS)]
