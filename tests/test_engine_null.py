import pytest

from gpu_worker.engines.null import TEXT, NullEngine
from shared.domain.errors import EngineUnavailable
from shared.domain.options import Lane, Options
from shared.domain.page import PageImage

IMAGE = PageImage(rgb=memoryview(bytes(12)), width=2, height=2, dpi=72)


def test_a_page_is_done_at_once_and_says_that_it_was_not_read() -> None:
    future = NullEngine().submit(IMAGE, Options(), Lane.EXPRESS)

    assert future.done()
    assert [block.content for block in future.result().blocks] == [TEXT]


def test_a_closed_engine_is_unavailable() -> None:
    engine = NullEngine()

    engine.close()

    with pytest.raises(EngineUnavailable):
        engine.submit(IMAGE, Options(), Lane.EXPRESS).result()
