"""Who may import what, beyond what the import contracts say: each library has the one place that knows it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("shared", "ingest_fn", "gpu_worker", "notifier", "local")

HOMES = {
    "google": ("shared/adapters/google/",),
    "paddleocr": ("gpu_worker/engines/",),
    "paddlex": ("gpu_worker/engines/",),
    "rapidocr": ("gpu_worker/engines/",),
    "onnxruntime": ("gpu_worker/engines/",),
    "cv2": ("gpu_worker/engines/",),
    "pymupdf": ("shared/pdf/",),
    "httpx": ("shared/net/", "gpu_worker/engines/"),
    "httpcore": ("shared/net/",),
    "sqlite3": ("shared/adapters/embedded/",),
    "click": ("local/",),
}


FIRESTORE, STORAGE, PUBSUB = "google.cloud.firestore_v1", "google.cloud.storage", "google.pubsub_v1"


def modules() -> Iterator[Path]:
    for folder in OURS:
        yield from sorted((ROOT / folder).rglob("*.py"))


@cache
def imports(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return found


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_library_is_imported_only_where_it_lives(library: str) -> None:
    strangers = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules()
        for name in imports(path)
        if name.split(".")[0] == library and not str(path.relative_to(ROOT)).startswith(HOMES[library])
    ]

    assert strangers == []


def test_the_domain_imports_the_standard_library_and_itself_only() -> None:
    strangers = [
        f"{path.name}: {name}"
        for path in (ROOT / "shared" / "domain").glob("*.py")
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("shared.domain")
    ]

    assert strangers == []


@pytest.mark.parametrize("name", ["os", "time", "random", "uuid"])
def test_the_domain_has_no_clock_no_chance_and_no_environment(name: str) -> None:
    users = [
        path.name
        for path in (ROOT / "shared" / "domain").glob("*.py")
        if name in {i.split(".")[0] for i in imports(path)}
    ]

    assert users == []


def test_the_entry_points_do_nothing_but_import() -> None:
    tree = ast.parse((ROOT / "main.py").read_text())

    kinds = {type(node) for node in tree.body}

    assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign}


@pytest.mark.parametrize("module", ["main", "local.cli", "local.show", "gpu_worker.worker", "notifier.deliver"])
def test_importing_does_no_work(module: str) -> None:
    """No file, socket or process: the interpreter's audit hooks would tell."""
    program = f"""
import sys
seen = []
def hook(event, args):
    if args and "ldconfig" in str(args[0]):
        return  # trio, which the browser tests bring and httpcore tries, looks up a library
    if event in ("socket.__new__", "subprocess.Popen", "os.mkdir", "sqlite3.connect") or (
        event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    ):
        seen.append((event, str(args)[:80]))
sys.dont_write_bytecode = True
sys.addaudithook(hook)
import {module}
sys.exit(repr(seen) if seen else 0)
"""

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("module", "foreign"),
    [
        ("shared.wiring", [FIRESTORE, STORAGE, PUBSUB, "google.auth", "grpc"]),
        ("shared.adapters.google.jobs", [STORAGE, PUBSUB]),
        ("shared.adapters.google.objects", [FIRESTORE, PUBSUB]),
        ("shared.adapters.google.bus", [FIRESTORE, STORAGE]),
        ("shared.adapters.google.push", [FIRESTORE, STORAGE, PUBSUB]),
        ("shared.adapters.google.indexes", [FIRESTORE, STORAGE, PUBSUB, "google.auth", "grpc"]),
        ("local.cli", ["fastapi", "httpx", "pymupdf", "onnxruntime", "shared.wiring"]),
        ("local.show", ["fastapi", "uvicorn", "pymupdf", "onnxruntime"]),
        ("gpu_worker.main", ["fastapi", "uvicorn", "pymupdf", "onnxruntime"]),
    ],
)
def test_a_part_imports_no_more_than_it_needs(module: str, foreign: list[str]) -> None:
    program = f"import {module}, sys; print([each for each in {foreign} if each in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_each_long_running_process_has_one_broad_except_and_it_is_at_its_loop() -> None:
    """The API's loop is the server's: its edge is `Crashes`. Layout and documents have processes of their own."""
    caught = [
        str(path.relative_to(ROOT))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or is_broad(node.type))
    ]

    assert sorted(caught) == [
        "gpu_worker/engines/vl/layout_process.py",
        "ingest_fn/crashes.py",
        "shared/consume.py",
        "shared/pdf/child.py",
    ]


def test_nothing_else_is_caught_blind_but_what_a_change_makes_of_a_state_that_is_only_guessed() -> None:
    """There whatever it is raised for is asked again, of the newest state."""
    suppressed = [
        str(path.relative_to(ROOT))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"suppress", "contextlib.suppress"}
        and any(is_broad(error) for error in node.args)
    ]

    assert suppressed == ["shared/adapters/google/documents.py"]


def is_broad(error: ast.expr) -> bool:
    """Of one class, or of a tuple of them. Who catches BaseException cleans up and raises it again."""
    classes = error.elts if isinstance(error, ast.Tuple) else [error]
    return any(ast.unparse(each) == "Exception" for each in classes)


def test_nothing_committed_names_a_registry_or_a_place_on_a_disk() -> None:
    done = subprocess.run(
        ["git", "grep", "-nIE", r"index-url|find-links|hosted\.org|/simple/|/root/"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    found = [
        line for line in done.stdout.splitlines() if not line.startswith(("tests/test_architecture.py", "Makefile"))
    ]

    assert found == []
