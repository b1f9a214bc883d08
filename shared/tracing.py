"""One trace from a request to its callback: OpenTelemetry spans, carried in messages and kept in the job's record.

Without an exporter nothing is recorded, and a span costs microseconds.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from shared.domain.errors import PagemillError


def trace_context() -> dict[str, str]:
    """Return the W3C trace context of the current span, as it travels in a message; empty where there is none."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


@contextmanager
def span(
    name: str,
    *,
    parent: Mapping[str, str] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, str | int] | None = None,
) -> Iterator[Span]:
    """Record what is done in the context as a child of `parent`, a trace context, or else of the current span.

    What is raised marks the span with its code or class, never with its text, which may quote a document or a URL.
    """
    context = propagate.extract(parent) if parent else None
    tracer = trace.get_tracer("pagemill")
    with (
        tracer.start_as_current_span(
            name, context, kind, dict(attributes or {}), record_exception=False, set_status_on_exception=False
        ) as current,
        _Judged(current),
    ):
        yield current


def set_up_tracing(url: str, *, service: str) -> None:
    """Send spans to a collector, in batches, from a thread; called by a process's `main`, once."""
    # Spans are wanted by few, and the exporter takes a third of a second to import.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: f"pagemill-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    trace.set_tracer_provider(provider)


class _Judged:
    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self._span.set_status(StatusCode.ERROR, error.code if isinstance(error, PagemillError) else kind.__name__)
