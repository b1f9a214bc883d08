"""Log lines: what Cloud Logging reads, and what must never stand in one."""

import json
import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from shared.domain.errors import Corrupt
from shared.logs import JsonFormatter

SECRET = "the patient's name"


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def log(request: pytest.FixtureRequest, lines: list[str]) -> logging.Logger:
    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Kept()
    handler.setFormatter(JsonFormatter(project="mill"))
    logger = logging.getLogger(request.node.name)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return logger


def test_a_line_has_cloud_loggings_fields_and_what_was_given_beside_them(log: logging.Logger, lines: list[str]) -> None:
    log.warning("page failed", extra={"job_id": "1", "page": 3})

    line = json.loads(lines[0])
    assert (line["severity"], line["message"], line["job_id"], line["page"]) == ("WARNING", "page failed", "1", 3)
    assert line["time"].endswith("+00:00")


def test_a_line_within_a_span_names_its_trace(log: logging.Logger, lines: list[str]) -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("reading") as span:
        log.info("page read")

    context = span.get_span_context()
    line = json.loads(lines[0])
    assert line["logging.googleapis.com/trace"] == f"projects/mill/traces/{trace.format_trace_id(context.trace_id)}"
    assert line["logging.googleapis.com/spanId"] == trace.format_span_id(context.span_id)
    assert line["logging.googleapis.com/trace_sampled"] is True


def fail(error: Exception, cause: Exception | None = None) -> None:
    raise error from cause


def failing(error: Exception, cause: Exception) -> None:
    try:
        fail(cause)
    except ValueError as caught:
        fail(error, caught)


def test_an_error_of_a_library_is_told_without_its_text(log: logging.Logger, lines: list[str]) -> None:
    try:
        failing(KeyError(SECRET), ValueError(SECRET))
    except KeyError:
        log.exception("crashed")

    told = json.loads(lines[0])["exception"]
    assert SECRET not in lines[0]
    assert "ValueError\nwhich led to\n" in told
    assert told.endswith("KeyError")
    assert "test_logs.py" in told


def test_an_error_of_ours_is_told_with_its_text(log: logging.Logger, lines: list[str]) -> None:
    try:
        fail(Corrupt("the page tree is damaged"))
    except Corrupt:
        log.warning("failed", exc_info=True)

    assert json.loads(lines[0])["exception"].endswith("Corrupt: the page tree is damaged")


def test_a_cause_that_was_hidden_on_purpose_stays_hidden(log: logging.Logger, lines: list[str]) -> None:
    try:
        try:
            fail(ValueError(SECRET))
        except ValueError:
            fail(Corrupt("damaged"), None)
    except Corrupt:
        log.exception("crashed")

    assert "ValueError" not in json.loads(lines[0])["exception"]
