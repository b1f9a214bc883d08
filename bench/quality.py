"""How well pages are read: pagemill's CPU engine against bare RapidOCR and Tesseract, on pages made at run time.

python -m bench.quality [--json]

Prints, a page: word recall / similarity / word order (see bench/scores.py) for each reader; then the means against the
better rival's. What is scored is the Markdown that a reader gets with every extra included ("pagemill") and with none
("default"), without its syntax.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from statistics import fmean

from PIL import Image
from rapidocr import RapidOCR

from bench.pages import QualityPage, quality_pages
from bench.report import Figure, show, wants_json
from bench.scores import Score, score
from bench.sheet import DPI, Pixels
from gpu_worker.engines.rapidocr import RapidOcrEngine
from shared.domain.document import page_markdown
from shared.domain.options import Extra, Lane, Options
from shared.domain.page import PageImage, PageRead

GOALS = {"recall": 0.97, "similarity": 0.90, "order": 0.95}
"""Over the better rival's mean."""

BAD = 0.9
"""A page whose similarity is below this is listed again at the end."""

EVERYTHING = Options(include=frozenset(Extra))

_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_TAG = re.compile(r"</?[a-z][^>]*>")
_ESCAPE = re.compile(r"\\(?=[!-/:-@\[-`{-~])")

THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One page's scores by reader; a reader that isn't installed has none."""

    page: str
    scores: dict[str, Score]


def main() -> None:
    as_json = wants_json(__doc__)
    rows = []
    for row in measure():
        rows.append(row)
        if not as_json:
            print(_line(row.page, row.scores), flush=True)
    if not as_json:
        _print_means(rows)
    show(figures(rows), as_json=as_json)


def measure() -> Iterator[Row]:
    """Every page read by every reader, the engine's Markdown both whole and as it is by default."""
    engine = RapidOcrEngine(THREADS)
    bare = RapidOCR(params={"Global.log_level": "critical", "Global.use_cls": True})
    try:
        with ThreadPoolExecutor(1) as aside:
            for page in quality_pages():
                tesseract = aside.submit(read_with_tesseract, page.pixels)
                yield Row(page=page.name, scores=_scores(page, engine, bare, tesseract.result()))
    finally:
        engine.close()


def _scores(page: QualityPage, engine: RapidOcrEngine, bare: RapidOCR, tesseract: str | None) -> dict[str, Score]:
    read = read_page(engine, page.pixels)
    texts = {
        "pagemill": plain(page_markdown(read, EVERYTHING)),
        "default": plain(page_markdown(read, Options())),
        "rapidocr": "\n".join(bare(page.pixels[:, :, ::-1]).txts or ()),
    }
    if tesseract is not None:
        texts["tesseract"] = tesseract
    return {name: score(page.truth, text) for name, text in texts.items()}


def read_page(engine: RapidOcrEngine, pixels: Pixels) -> PageRead:
    height, width = pixels.shape[:2]
    image = PageImage(rgb=memoryview(pixels.tobytes()), width=width, height=height, dpi=DPI)
    return engine.submit(image, Options(), Lane.BULK).result()


def plain(markdown: str) -> str:
    """The words of some Markdown: no images, tags, escapes or entities. Its other marks are no words."""
    return unescape(_ESCAPE.sub("", _TAG.sub(" ", _IMAGE.sub(" ", markdown)))).replace("<", " ")


def read_with_tesseract(pixels: Pixels) -> str | None:
    """None where the `tesseract` program isn't installed. It is given the language packs that it has of ours."""
    program = shutil.which("tesseract")
    if program is None:
        return None
    listed = subprocess.run([program, "--list-langs"], capture_output=True, text=True, check=True).stdout.split()
    languages = "+".join(name for name in ("eng", "fra", "deu", "chi_sim") if name in listed)
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "page.png"
        Image.fromarray(pixels).save(image, dpi=(DPI, DPI))
        command = [program, str(image), "stdout", "-l", languages, "--psm", "1"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            done = subprocess.run(command[:-2], capture_output=True, text=True, check=True)
    return done.stdout


def figures(rows: Sequence[Row]) -> Iterator[Figure]:
    """The means over all pages, against the better rival's."""
    for name, goal in GOALS.items():
        means = _means(rows, name)
        rival = max(means[reader] for reader in ("rapidocr", "tesseract") if reader in means)
        yield Figure(name=f"quality.{name}", value=means["pagemill"], unit="share", baseline=rival, goal=goal)


def _means(rows: Sequence[Row], figure: str) -> dict[str, float]:
    names = rows[0].scores
    return {name: fmean(float(getattr(row.scores[name], figure)) for row in rows) for name in names}


def _line(name: str, scores: dict[str, Score]) -> str:
    parts = (f"{reader} {s.recall:.3f} {s.similarity:.3f} {s.order:.3f}" for reader, s in scores.items())
    return f"{name:26}  " + "   ".join(parts)


def _print_means(rows: Sequence[Row]) -> None:
    means = {figure: _means(rows, figure) for figure in GOALS}
    scores = {reader: Score(**{figure: means[figure][reader] for figure in GOALS}) for reader in rows[0].scores}
    print(_line("mean", scores))
    if "tesseract" not in rows[0].scores:
        print("tesseract: not installed")
    bad = [row.page for row in rows if row.scores["pagemill"].similarity < BAD]
    print("read badly: " + (", ".join(bad) or "none"))


if __name__ == "__main__":
    main()
