"""The sandbox's processes: what they may and may not, what of them remains, and what their deaths cost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest

from shared.domain.errors import RenderCrashed, RenderTimeout
from shared.pdf.sandbox import Limits, Sandbox
from tests import samples

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

ROOT = Path(__file__).parents[1]
LIMITS = Limits(page_seconds=0.5, start_seconds=2)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as sandbox:
        yield sandbox


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def zygote() -> int:
    """Of this file's sandbox; there may be that of the whole run."""
    limits = json.dumps(asdict(LIMITS)).encode()
    (found,) = (pid for pid in children(os.getpid()) if limits in command(pid))
    return found


def readers(zygote: int) -> list[int]:
    """The children that have a document; beside them one waits for the next."""
    return [child for child in sorted(children(zygote)) if any(map(is_document, descriptors(child).values()))]


def is_document(target: Path) -> bool:
    return target != Path("/dev/null") and not target.name.startswith("socket:")


def waiting_child() -> int:
    """The child that has no document yet; it may still be on its way."""
    assert eventually(lambda: len(children(zygote())) > len(readers(zygote())))
    (found,) = set(children(zygote())) - set(readers(zygote()))
    return found


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def descriptors(pid: int) -> dict[int, Path]:
    """What each descriptor of a process leads to; not the one that lists them, nor one that is closed meanwhile."""
    found = {}
    for entry in list(Path(f"/proc/{pid}/fd").iterdir()):
        with suppress(FileNotFoundError):
            found[int(entry.name)] = entry.readlink()
    return found


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def is_alive(pid: int) -> bool:
    try:
        return not status(pid)["State"].startswith("Z")
    except FileNotFoundError:
        return False


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_neither_process_nor_descriptor_remains() -> None:
    processes, held = children(os.getpid()), set(descriptors(os.getpid()))

    with Sandbox(Limits(page_seconds=0.2)) as sandbox, samples.file(samples.hanging_pdf()) as file:
        for _ in range(3):
            with sandbox.open(file) as document:
                with pytest.raises(RenderTimeout):
                    document.render(1, dpi=72)
                document.render(2, dpi=72).close()

    assert children(os.getpid()) == processes
    assert set(descriptors(os.getpid())) == held


def test_a_page_that_hangs_leaves_no_process_behind(sandbox: Sandbox) -> None:
    with samples.file(samples.hanging_pdf()) as file, sandbox.open(file) as document:
        with pytest.raises(RenderTimeout):
            document.render(1, dpi=72)

        assert readers(zygote()) == []


def test_the_parent_never_loads_pymupdf() -> None:
    script = """
import sys, tempfile
from shared.pdf.sandbox import Sandbox
with Sandbox() as sandbox, tempfile.TemporaryFile() as file:
    file.write(sys.stdin.buffer.read())
    with sandbox.open(file) as document, document.render(1, dpi=72):
        print([name for name in ("pymupdf", "PIL") if name in sys.modules])
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], input=samples.pdf(["x"]), capture_output=True, cwd=ROOT, check=False
    )

    assert (ended.stdout, ended.stderr) == (b"[]\n", b"")


def test_a_parent_that_is_killed_takes_all_with_it() -> None:
    script = """
import sys, tempfile
from shared.pdf.sandbox import Sandbox
sandbox, file = Sandbox(), tempfile.TemporaryFile()
file.write(sys.stdin.buffer.read())
document = sandbox.open(file)
print("open", flush=True)
document.render(1, dpi=72)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    with parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.write(samples.hanging_pdf())
        parent.stdin.close()
        assert parent.stdout.readline() == b"open\n"
        (its_zygote,) = children(parent.pid)
        its_children = children(its_zygote)
        parent.kill()

    assert eventually(lambda: not is_alive(its_zygote))
    assert its_children
    assert eventually(lambda: not any(is_alive(child) for child in its_children))


def test_a_child_dies_with_its_zygote_even_while_it_hangs(sandbox: Sandbox) -> None:
    with (
        samples.file(samples.hanging_pdf()) as file,
        sandbox.open(file) as document,
        ThreadPoolExecutor(1) as threads,
    ):
        (child,) = readers(zygote())
        rendering = threads.submit(document.render, 1, dpi=72)
        os.kill(zygote(), signal.SIGKILL)

        assert eventually(lambda: not is_alive(child))
        with pytest.raises(RenderTimeout):  # the page was begun again, and is judged by its own deed
            rendering.result()


def test_no_secret_of_the_environment_reaches_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEMILL_SECRET", "open sesame")
    before = set(children(os.getpid()))

    with Sandbox() as sandbox, samples.file(samples.png()) as file, sandbox.open(file):
        (its_zygote,) = set(children(os.getpid())) - before
        (child,) = readers(its_zygote)
        environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in (its_zygote, child)]

    for environment in environments:
        names = {line.partition(b"=")[0] for line in environment.split(b"\0") if line}
        assert names <= {b"LC_ALL", b"PYTHONPATH", b"LD_LIBRARY_PATH", b"PYTHONHOME"}
        assert b"open sesame" not in environment


def test_a_child_holds_nothing_but_its_document_and_its_channel(sandbox: Sandbox) -> None:
    with samples.file(samples.png()) as one, samples.file(samples.tiff()) as two:
        own = descriptors(os.getpid())
        documents = [own[one.fileno()], own[two.fileno()]]
        with sandbox.open(one), sandbox.open(two):
            held = [descriptors(child) for child in readers(zygote())]

    for child, document in zip(held, documents, strict=True):
        assert {child.pop(fd) for fd in (0, 1, 2)} == {Path("/dev/null")}
        assert child.pop(3).name.startswith("socket:")
        assert set(child.values()) == {document}


def test_a_child_has_limits_and_no_privileges(sandbox: Sandbox) -> None:
    with samples.file(samples.png()) as file, sandbox.open(file):
        (child,) = readers(zygote())
        now = status(child)
        limits = Path(f"/proc/{child}/limits").read_text().splitlines()

    assert now["Seccomp"] == ("2" if sandbox.start() else "0")
    assert int(now["CapEff"], 16) == 0
    assert now["Uid"].split()[0] != "0"
    soft = {line[:26].strip(): line[26:].split()[0] for line in limits}
    assert [soft[f"Max {name}"] for name in ("core file size", "processes", "open files")] == ["0", "0", "16"]
    assert "unlimited" not in [soft[f"Max {name}"] for name in ("address space", "cpu time", "file size")]


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/hostname')",
        "__import__('socket').socket()",
        "os.execv('/bin/true', ['true'])",
        "os.fork()",
        "os.kill(os.getppid(), 0)",
        "os.unlink('/tmp/nothing')",
    ],
)
def test_what_a_child_has_given_up_fails(attempt: str) -> None:
    script = f"""
import os
from shared.pdf import seccomp
if not seccomp.deny(seccomp.FILES, seccomp.NETWORK, seccomp.PROGRAMS, seccomp.PROCESSES, seccomp.SIGNALS):
    raise SystemExit("unsupported")
try:
    {attempt}
except PermissionError:
    print("denied")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, check=False)

    if ended.stderr == b"unsupported\n":
        pytest.skip("no filter of system calls here")
    assert (ended.stdout, ended.stderr) == (b"denied\n", b"")


def test_a_page_whose_process_is_killed_crashes_and_says_by_what(sandbox: Sandbox) -> None:
    with (
        samples.file(samples.hanging_pdf()) as file,
        sandbox.open(file) as document,
        ThreadPoolExecutor(1) as threads,
    ):
        rendering = threads.submit(document.render, 1, dpi=72)
        time.sleep(0.1)
        (child,) = readers(zygote())
        os.kill(child, signal.SIGSEGV)

        with pytest.raises(RenderCrashed, match="signal 11"):
            rendering.result()
        document.render(2, dpi=72).close()


def test_a_page_is_not_blamed_for_a_process_that_ended_before_it(sandbox: Sandbox) -> None:
    with samples.file(samples.pdf(["One"])) as file, sandbox.open(file) as document:
        (child,) = readers(zygote())
        os.kill(child, signal.SIGKILL)
        assert eventually(lambda: readers(zygote()) == [])

        document.render(1, dpi=72).close()


def test_a_child_is_born_before_its_document_comes(sandbox: Sandbox) -> None:
    with samples.file(samples.png()) as one, samples.file(samples.tiff()) as two, sandbox.open(one):
        waiting = waiting_child()

        with sandbox.open(two):
            assert waiting in readers(zygote())


def test_a_child_that_dies_before_its_document_comes_costs_nothing(sandbox: Sandbox) -> None:
    with samples.file(samples.png()) as one, samples.file(samples.tiff()) as two, sandbox.open(one):
        waiting = waiting_child()
        os.kill(waiting, signal.SIGKILL)
        assert eventually(lambda: not is_alive(waiting))

        with sandbox.open(two) as document:
            document.render(1, dpi=72).close()


def test_a_zygote_that_dies_is_replaced_and_open_documents_go_on(sandbox: Sandbox) -> None:
    with samples.file(samples.pdf(["One", "Two"])) as file, sandbox.open(file) as document:
        before = zygote()
        document.render(1, dpi=72).close()
        os.kill(before, signal.SIGKILL)

        document.render(2, dpi=72).close()
        with sandbox.open(file) as another:
            another.render(1, dpi=72).close()
        assert zygote() != before


def test_a_zygote_that_hangs_is_replaced(sandbox: Sandbox) -> None:
    sandbox.start()
    os.kill(zygote(), signal.SIGSTOP)

    with samples.file(samples.pdf(["One"])) as file, sandbox.open(file) as document:
        document.render(1, dpi=72).close()
