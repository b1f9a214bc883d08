"""Pages a minute of the whole pipeline with the CPU engine, beside bare RapidOCR on the same page images.

    python -m bench.throughput [--json]

The pipeline renders, reads, lays out and stores a scanned document; the bare library is given images rendered before,
at the same resolution, without its turning of lines (and the pipeline without its turning of pages), and runs as one
session on every core and as one process a core: the better of the two is the baseline. All in turn, in one run.
"""

import json
import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pymupdf
from rapidocr import RapidOCR

from bench.documents import scanned
from bench.report import Figure, show, wants_json
from shared.config import ENGINES
from tests.serving import served

PAGES = 12
CORES = os.cpu_count() or 1

Pixels = npt.NDArray[np.uint8]

_READERS: list[RapidOCR] = []


def main() -> None:
    show(measure(), as_json=wants_json(__doc__))


def measure() -> list[Figure]:
    document = scanned(PAGES)
    images = _images(document)
    bare = max(_one_session(images), _a_process_a_core(images))
    return [
        Figure(name="throughput.pages_a_minute", value=_pipeline(document), unit="pages/min", baseline=bare, goal=0.95)
    ]


def _pipeline(document: bytes) -> float:
    settings = {"ENGINE": "rapidocr", "ENGINE_WORKERS": str(CORES), "LOG_LEVEL": "WARNING"}
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data", settings) as server:
        server.ended(server.submitted(scanned(1)))
        started = time.perf_counter()
        job_id = server.submitted(document, options=json.dumps({"orientation": False}))
        while server.http.get(f"/jobs/{job_id}", params={"wait": 60}).json()["status"] != "finished":
            pass
        return 60 * PAGES / (time.perf_counter() - started)


def _one_session(images: list[Pixels]) -> float:
    reader = _reader(CORES)
    reader(images[0])
    started = time.perf_counter()
    for image in images:
        reader(image)
    return 60 * len(images) / (time.perf_counter() - started)


def _a_process_a_core(images: list[Pixels]) -> float:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(CORES, mp_context=context, initializer=_start) as pool:
        list(pool.map(_read, images[:CORES]))
        started = time.perf_counter()
        list(pool.map(_read, images))
        return 60 * len(images) / (time.perf_counter() - started)


def _start() -> None:
    _READERS.append(_reader(1))


def _read(image: Pixels) -> int:
    return len(_READERS[0](image).txts or ())


def _reader(threads: int) -> RapidOCR:
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        }
    )


def _images(document: bytes) -> list[Pixels]:
    """Page images in the library's channel order, at the resolution of the pipeline."""
    with pymupdf.open(stream=document, filetype="pdf") as opened:
        pixmaps = [page.get_pixmap(dpi=ENGINES["rapidocr"].dpi) for page in opened]
    return [np.frombuffer(p.samples, np.uint8).reshape(p.height, p.width, 3)[:, :, ::-1] for p in pixmaps]


if __name__ == "__main__":
    main()
