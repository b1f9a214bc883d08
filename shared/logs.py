"""Logs: one JSON object a line, in Cloud Logging's field names. It names jobs and pages, never what is in them."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from opentelemetry import trace

from shared.domain.errors import PagemillError

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


class JsonFormatter(logging.Formatter):
    """`severity`, `time`, `message`, the current trace; what was passed as `extra` stands beside them.

    An exception is told by its class and where it was raised. Its text is told only where it is one of ours: a
    library's may quote a document, a password or a URL's query.
    """

    def __init__(self, *, project: str | None = None) -> None:
        """`project` is the Google Cloud project that traces are found in."""
        super().__init__()
        self._traces = f"projects/{project}/traces/" if project else ""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "severity": record.levelname,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "message": record.getMessage(),
            "logger": record.name,
        }
        line |= self._trace()
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1]:
            line["exception"] = told(record.exc_info[1])
        return json.dumps(line, default=str, ensure_ascii=False)

    def _trace(self) -> dict[str, object]:
        """The fields by which Cloud Logging shows a line beside its trace."""
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {
            "logging.googleapis.com/trace": f"{self._traces}{trace.format_trace_id(context.trace_id)}",
            "logging.googleapis.com/spanId": trace.format_span_id(context.span_id),
            "logging.googleapis.com/trace_sampled": context.trace_flags.sampled,
        }


def told(error: BaseException) -> str:
    """Return the traceback of an error and of its causes, as Python prints it, but without texts that are not ours."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    causes = told(before) + "\nwhich led to\n" if before else ""
    text = f": {error}" if isinstance(error, PagemillError) else ""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{causes}Traceback (most recent call last):\n{frames}{type(error).__qualname__}{text}"


def set_up_logging(level: str, *, project: str | None = None) -> None:
    """Called by a process's `main`, once."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(project=project))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "urllib3", "google"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # they log whole URLs
