"""For how much of a minute the worker had pages in hand, as its log says."""

import logging
import time

import pytest

from gpu_worker.busy import Busy


def test_only_the_time_with_work_counts_and_each_line_counts_anew(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    busy = Busy(every_seconds=0.2)

    started = time.monotonic()
    while (worked := time.monotonic() - started) < 0.1:
        time.sleep(0.01)
        busy.look(has_work=True)
    while not caplog.records:
        time.sleep(0.01)
        busy.look(has_work=False)
    time.sleep(0.3)
    busy.look(has_work=False)

    first, second = (record.__dict__["busy_seconds"] for record in caplog.records)
    assert first == pytest.approx(worked, abs=0.1)
    assert first > 0
    assert second == 0
