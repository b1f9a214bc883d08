"""The command line as a user types it: real processes, real files, exit codes."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import samples
from tests.servers import Server, answering
from tests.serving import Served, environment, served, until

pytestmark = pytest.mark.long


def pagemill(*arguments: str | Path, data: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", *map(str, arguments)],
        env=environment(data, **settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def a_file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_convert_prints_markdown_and_leaves_nothing_behind(tmp_path: Path, data: Path) -> None:
    path = a_file(tmp_path, "two.pdf", samples.quick_pdf(["A first page.", "A second page."]))

    done = pagemill("convert", path, data=data, ENGINE="rapidocr")

    assert done.returncode == 0, done.stderr
    assert done.stdout == "<!-- page 1 -->\n\nA first page.\n\n<!-- page 2 -->\n\nA second page.\n"
    assert list((data / "convert").iterdir()) == []


def test_convert_writes_a_folder_for_each_document(tmp_path: Path, data: Path) -> None:
    (tmp_path / "other").mkdir()
    first = a_file(tmp_path, "scan.pdf", samples.pdf(["one"]))
    second = a_file(tmp_path / "other", "scan.pdf", samples.pdf(["one", "two"]))
    out = tmp_path / "out"

    done = pagemill("convert", first, second, "-o", out, data=data)

    assert done.returncode == 0
    assert done.stdout == ""
    assert (out / "scan" / "result.md").read_text().count("<!-- page") == 1
    assert len(json.loads((out / "scan-2" / "result.json").read_text())["pages"]) == 2


def test_convert_prints_blocks_as_json(tmp_path: Path, data: Path) -> None:
    path = a_file(tmp_path, "one.pdf", samples.pdf(["one"]))

    done = pagemill("convert", path, "--json", data=data)

    assert [page["number"] for page in json.loads(done.stdout)["pages"]] == [1]


def test_convert_takes_urls_pages_and_passwords(data: Path) -> None:
    with Server({"/a.pdf": answering(200, samples.encrypted_pdf("sesame", ["one", "two", "three"]))}) as documents:
        done = pagemill("convert", f"{documents.url}/a.pdf?x=1", "--pages", "r1", "--password", "sesame", data=data)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<!-- page 3 -->")


def test_convert_exits_3_where_some_pages_failed(tmp_path: Path, data: Path) -> None:
    path = a_file(tmp_path, "hang.pdf", samples.hanging_pdf())

    done = pagemill("convert", path, data=data, PAGE_SECONDS="1")

    assert done.returncode == 3
    assert "page 1: render_timeout" in done.stderr
    assert "<!-- page 1 failed: render_timeout -->" in done.stdout


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("a.txt", b"text", "not_a_document"), ("b.pdf", samples.encrypted_pdf("secret"), "encrypted")],
)
def test_convert_exits_1_with_the_code_where_a_document_failed(
    tmp_path: Path, data: Path, name: str, content: bytes, code: str
) -> None:
    done = pagemill("convert", a_file(tmp_path, name, content), data=data)

    assert done.returncode == 1
    assert code in done.stderr
    assert done.stdout == ""


def test_convert_exits_1_where_there_is_no_such_file(tmp_path: Path, data: Path) -> None:
    done = pagemill("convert", tmp_path / "nothing.pdf", data=data)

    assert done.returncode == 1
    assert "nothing.pdf" in done.stderr
    assert "Traceback" not in done.stderr


def test_convert_says_that_images_were_left_out(tmp_path: Path, data: Path) -> None:
    path = a_file(tmp_path, "figure.pdf", samples.figure_pdf())

    done = pagemill("convert", path, data=data, ENGINE="rapidocr")

    assert "![](images/" in done.stdout
    assert "1 image is linked and not written; -o DIR writes them" in done.stderr


def test_convert_writes_the_images_that_its_markdown_links_to(tmp_path: Path, data: Path) -> None:
    path = a_file(tmp_path, "figure.pdf", samples.figure_pdf())

    pagemill("convert", path, "-o", tmp_path, data=data, ENGINE="rapidocr")

    markdown = (tmp_path / "figure" / "result.md").read_text()
    images = [f"images/{path.name}" for path in (tmp_path / "figure" / "images").iterdir()]
    assert len(images) == 1
    assert f"![]({images[0]})" in markdown


def test_convert_that_is_interrupted_goes_on_where_it_was(tmp_path: Path, data: Path) -> None:
    pages = [f"This is page number {number}." for number in range(1, 13)]
    path = a_file(tmp_path, "long.pdf", samples.quick_pdf(pages))
    command = [sys.executable, "-m", "local", "convert", str(path), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(command, env=environment(data, ENGINE="rapidocr"), stderr=subprocess.PIPE, text=True)
    until(lambda: len(_page_objects(data)) >= 2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    written = (tmp_path / "out").exists()
    finished = {page: page.stat().st_mtime_ns for page in _page_objects(data)}

    resumed = subprocess.Popen(command, env=environment(data, ENGINE="rapidocr"), stderr=subprocess.DEVNULL)
    until(lambda: len(_page_objects(data)) > len(finished))
    untouched = {page: page.stat().st_mtime_ns for page in finished}
    code = resumed.wait(timeout=60)

    assert process.returncode == 130
    assert "goes on from here" in said
    assert not written
    assert untouched == finished
    assert code == 0
    assert (tmp_path / "out" / "long" / "result.md").read_text().count("This is page number") == 12


def test_convert_shows_a_bar_where_stderr_is_a_terminal(tmp_path: Path, data: Path) -> None:
    path = a_file(tmp_path, "many.pdf", samples.pdf(["one"] * 12))
    ours, theirs = pty.openpty()

    done = subprocess.run(
        [sys.executable, "-m", "local", "convert", str(path)],
        env=environment(data),
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        check=True,
        timeout=60,
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)

    assert done.returncode == 0
    assert "12/12" in shown


def test_config_shows_every_setting_with_its_origin(data: Path) -> None:
    done = pagemill("config", data=data, MAX_PAGES="7", CALLBACK_SECRET="whsec_" + "c2VjcmV0" * 5)

    assert any(line.split()[:3] == ["PAGEMILL_MAX_PAGES", "7", "environment"] for line in done.stdout.splitlines())
    assert "PAGEMILL_HOST" in done.stdout
    assert "c2VjcmV0" not in done.stdout


def test_settings_that_are_wrong_are_all_reported_at_once(data: Path) -> None:
    done = pagemill("config", data=data, PORT="no", ENGINE="magic", SURPRISE="1")

    assert done.returncode == 1
    for name in ("PAGEMILL_PORT", "PAGEMILL_ENGINE", "PAGEMILL_SURPRISE"):
        assert name in done.stderr


def test_convert_takes_every_option_of_a_reading(tmp_path: Path, data: Path) -> None:
    path = a_file(tmp_path, "one.pdf", samples.pdf(["one"]))
    options = ("--dpi", "144", "--tables", "markdown", "--include", "header", "--include", "footnote")

    done = pagemill("convert", path, "--json", "--no-page-markers", *options, data=data)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pages"][0]["read"]["dpi"] == 144


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("cli") / "data") as running:
        yield running


def test_a_server_is_used_from_the_command_line(server: Served, tmp_path: Path, data: Path) -> None:
    path = a_file(tmp_path, "one.pdf", samples.pdf(["one"]))
    to = ("--server", str(server.http.base_url))

    options = ("--priority", "bulk", "--tables", "markdown", "--include", "header")
    submitted = json.loads(pagemill("submit", path, *options, *to, data=data).stdout)
    server.ended(submitted["job_id"])
    shown = json.loads(pagemill("status", submitted["job_id"], *to, data=data).stdout)
    listed = [json.loads(line) for line in pagemill("list", *to, data=data).stdout.splitlines()]
    result = pagemill("result", submitted["job_id"], *to, data=data)

    assert (shown["status"], shown["priority"]) == ("finished", "bulk")
    assert submitted["job_id"] in {job["job_id"] for job in listed}
    assert result.stdout == server.markdown(submitted["job_id"])


def test_a_refusal_of_the_server_is_one_sentence(server: Served, data: Path) -> None:
    done = pagemill("cancel", "nobody", "--server", str(server.http.base_url), data=data)

    assert done.returncode == 1
    assert done.stderr == "Error: unknown_job: There is no such job.\n"


def test_a_server_that_is_not_there_is_one_sentence(data: Path) -> None:
    done = pagemill("list", "--server", "http://127.0.0.1:1", data=data)

    assert done.returncode == 1
    assert "cannot be reached" in done.stderr


def _page_objects(data: Path) -> list[Path]:
    return list((data / "convert").glob("*/objects/jobs/*/pages/*.json"))
