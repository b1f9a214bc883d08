"""One trace from the request to its callback, as a collector receives it from a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests import samples
from tests.servers import Receiver, Reply, Server, answering
from tests.serving import served

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "token-in-the-query"


@pytest.fixture
def collector() -> Iterator[Server]:
    with Server({}, otherwise=answering(200)) as serving:
        yield serving


def test_a_request_and_all_that_comes_of_it_are_one_trace(tmp_path: Path, collector: Server) -> None:
    with Receiver(Reply(status=204)) as receiver:
        settings = {"TRACES_URL": f"{collector.url}/v1/traces", "CALLBACK_ALLOW_HTTP": "true"}
        with served(tmp_path / "data", settings) as server:
            form = {"callback_url": f"{receiver.url}/done?{SECRET}", "password": SECRET}
            headers = {"traceparent": CALLER}
            files = {"file": (SECRET, samples.pdf(["one", "two"]))}
            posted = server.http.post(f"/infer?{SECRET}", files=files, data=form, headers=headers)
            server.ended(posted.json()["job_id"])
            receiver.wait_for(1)
            server.terminate()

    spans = [span for span in received(collector) if span.trace_id.hex() in CALLER]
    assert {span.name for span in spans} >= {
        "POST /infer",
        "handle PrepareDocument",
        "handle ReadRange",
        "render page",
        "read page",
        "handle RoundEnded",
    }
    assert [span.name for span in spans].count("read page") == 2
    parents = {span.span_id for span in spans} | {bytes.fromhex(CALLER.split("-")[2])}
    assert all(span.parent_span_id in parents for span in spans)
    assert all(SECRET.encode() not in request.body for request in collector.received)


def received(collector: Server) -> list[Span]:
    requests = [ExportTraceServiceRequest.FromString(request.body) for request in collector.received]
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
