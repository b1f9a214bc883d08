"""What the documents say is so: commands and settings as they are, links that lead somewhere, the demo's real output.

`python -m tests.test_docs` writes docs/reference.md anew.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from local.cli import cli
from shared.config import Explained, explain, read_settings
from shared.domain import errors
from tests.serving import environment

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def reference() -> str:
    names = ["", *cli.list_commands(click.Context(cli))]
    commands = "\n".join(
        f"```\n$ pagemill {name} --help\n{_help(name)}```\n".replace("  --", " --", 1) for name in names
    )
    rows = "\n".join(f"| `{each.name}` | {each.doc} | {_default(each.name, each.value)} |" for each in _settings())
    codes = "\n".join(f"| `{code}` | {sentence} |" for code, sentence in _codes())
    return (
        "# Reference\n\nWritten by `python -m tests.test_docs`, and held by its test.\n\n"
        f"## Settings\n\nEnvironment variables. An unknown name with this prefix stops the process.\n\n"
        f"| name | what | default |\n|---|---|---|\n{rows}\n\n"
        f"## Error codes\n\n| code | what callers are told |\n|---|---|\n{codes}\n\n"
        f"## Commands\n\n{commands}"
    )


def test_the_reference_is_what_the_program_says() -> None:
    assert REFERENCE.read_text() == reference(), "run: python -m tests.test_docs"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#|images/)([^)#]+)[^)]*\)", _prose(document))

    missing = [target for target in targets if not (document.parent / target).exists()]

    assert missing == []


def test_every_command_of_the_readme_exists() -> None:
    used = re.findall(r"^(?:\.venv/bin/)?pagemill ([a-z]+)", _code(ROOT / "README.md"), re.MULTILINE)

    assert used
    assert set(used) <= set(cli.list_commands(click.Context(cli)))


def test_every_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^make ([a-z]+)", _code(ROOT / "README.md"), re.MULTILINE))

    assert {"demo", "test"} <= targets
    assert targets <= set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_demos_output_is_the_real_one(tmp_path: Path) -> None:
    """But for the image's name, which is of its bytes."""
    command = [sys.executable, "-m", "local", "convert", str(ROOT / "docs" / "samples" / "scan.pdf")]

    done = subprocess.run(
        command, env=environment(tmp_path, ENGINE="rapidocr"), capture_output=True, text=True, check=True
    )

    shown = re.search(r"```markdown\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown is not None
    assert _nameless(shown[1]) == _nameless(done.stdout)


def test_every_setting_that_is_written_down_exists() -> None:
    known = {each.name for each in _settings()}
    written = {name for path in DOCUMENTS for name in re.findall(r"PAGEMILL_[A-Z_]+", path.read_text())}

    assert written <= known


def test_the_commands_of_the_readme_can_be_parsed() -> None:
    for line in _code(ROOT / "README.md").splitlines():
        if line.startswith(("pagemill", "curl", ".venv")):
            assert shlex.split(line)


def _nameless(markdown: str) -> str:
    return re.sub(r"images/[0-9a-f]{16}", "images/…", markdown)


def _help(name: str) -> str:
    arguments = [*([name] if name else []), "--help"]
    result = CliRunner().invoke(cli, arguments, prog_name="pagemill", terminal_width=100, env={"COLUMNS": "100"})
    assert result.exit_code == 0
    return result.output


def _settings() -> list[Explained]:
    return explain(read_settings({}), {})


def _default(name: str, value: str) -> str:
    computed = {"PAGEMILL_DATA": "`~/.local/share/pagemill`", "PAGEMILL_ENGINE_WORKERS": "the number of cores"}
    return computed.get(name) or (f"`{value}`" if value else "none")


def _codes() -> list[tuple[str, str]]:
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    ours = [each for each in classes if issubclass(each, errors.PagemillError) and "code" in vars(each)]
    return [(each.code, each.public) for each in ours]


def _prose(document: Path) -> str:
    return re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)


def _code(document: Path) -> str:
    return "\n".join(re.findall(r"```[a-z]*\n(.*?)```", document.read_text(), re.DOTALL))


if __name__ == "__main__":
    REFERENCE.write_text(reference())
