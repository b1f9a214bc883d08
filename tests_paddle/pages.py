"""Pages to read, and an engine of all real parts: the library with a model made here, our client, a stub of vLLM."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gpu_worker.engines import engine
from shared.config import VL_MODELS, Settings
from shared.domain.options import Lane, Options
from shared.domain.page import PageImage, PageRead
from shared.ports.engine import OcrEngine
from tests.vllm_stub import Stub, stub
from tests_paddle.fabricated_layout import Found, write_model

LAYOUTS = {"v1.6": "PP-DocLayoutV3", "v1.5": "PP-DocLayoutV3", "v1": "PP-DocLayoutV2"}
WIDTH, HEIGHT = 1190, 1684


def paper(width: int = WIDTH, height: int = HEIGHT) -> npt.NDArray[np.uint8]:
    """With ink all over, so that no block is empty."""
    page = np.full((height, width, 3), 255, dtype=np.uint8)
    for line in range(4):
        page[line::16] = 0
    return page


def image(pixels: npt.NDArray[np.uint8]) -> PageImage:
    height, width = pixels.shape[:2]
    return PageImage(rgb=memoryview(pixels.tobytes()), width=width, height=height, dpi=144)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    engine: OcrEngine
    vllm: Stub

    def read(self, pixels: npt.NDArray[np.uint8] | None = None, **options: Any) -> PageRead:
        page = image(paper() if pixels is None else pixels)
        return self.engine.submit(page, Options(**options), Lane.BULK).result(timeout=60)


def settings(folder: Path, url: str, blocks: Sequence[Found], *, version: str = "v1.6", **others: Any) -> Settings:
    """Where there is no model in the folder yet, one that finds these blocks."""
    model = folder / "layout"
    if not model.exists():
        write_model(model, blocks, name=LAYOUTS[version])
    chosen = {"layout_processes": 1, **others}
    return Settings(engine="paddleocr-vl", vl_server_url=url, vl_pipeline=version, layout_model=model, **chosen)


@contextmanager
def bench(folder: Path, blocks: Sequence[Found], *, version: str = "v1.6", **others: Any) -> Iterator[Bench]:
    with stub(model=VL_MODELS[version]) as vllm:
        opened = engine(settings(folder, vllm.url, blocks, version=version, **others))
        try:
            yield Bench(engine=opened, vllm=vllm)
        finally:
            opened.close()
