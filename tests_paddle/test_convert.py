"""The whole pipeline in one process, as `pagemill convert` runs it, with this engine: a PDF in, Markdown out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pymupdf

from tests.vllm_stub import stub
from tests_paddle.fabricated_layout import stacked, write_model

ROOT = Path(__file__).parents[1]


def a_pdf(pages: int) -> bytes:
    document = pymupdf.open()
    for number in range(pages):
        page = document.new_page()
        for line in range(40):
            page.insert_text((60, 60 + line * 18), f"Page {number + 1}, line {line + 1}: what the stub does not read.")
    return bytes(document.tobytes())


def test_a_document_becomes_markdown(tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(a_pdf(3))
    write_model(tmp_path / "layout", stacked("doc_title", "text", "table", "image"))
    with stub(answers={"OCR:": "Paper costs $5."}) as vllm:
        settings = {
            "PAGEMILL_DATA": str(tmp_path / "data"),
            "PAGEMILL_ENGINE": "paddleocr-vl",
            "PAGEMILL_LAYOUT_MODEL": str(tmp_path / "layout"),
            "VL_SERVER_URL": vllm.url,
        }
        done = subprocess.run(
            [sys.executable, "-m", "local", "convert", str(tmp_path / "report.pdf"), "-o", str(tmp_path / "out")],
            cwd=ROOT,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        asked = vllm.stats()["done"]

    assert done.returncode == 0, done.stderr
    markdown = (tmp_path / "out" / "report" / "result.md").read_text()
    assert markdown.count("# Paper costs $5.") == 3
    assert markdown.count("<table>") == 3
    assert "<!-- page 3 -->" in markdown
    assert asked == 9
    result = json.loads((tmp_path / "out" / "report" / "result.json").read_text())
    figures = [block["image"] for page in result["pages"] for block in page["read"]["blocks"] if block["image"]]
    assert len(figures) == 3
    assert all((tmp_path / "out" / "report" / name).is_file() for name in figures)
