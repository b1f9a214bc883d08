"""Pulls in flight. One that found nothing in time stays open for whoever asks next.

A pull that is broken off at the wrong moment takes its messages with it, for as long as a lease: so each lives long,
and is broken off only when the bus closes.
"""

import threading
from collections import defaultdict

import grpc
from google.api_core.gapic_v1.routing_header import to_grpc_metadata
from google.pubsub_v1.types import PullRequest, PullResponse, ReceivedMessage

from shared.adapters.google.errors import google_errors

_OPEN_SECONDS = 60.0
_METHOD = "/google.pubsub.v1.Subscriber/Pull"


class Pulls:
    """The SDK's own `pull` cannot be left open, so this one speaks to the channel itself."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._pull = channel.unary_unary(
            _METHOD, request_serializer=PullRequest.serialize, response_deserializer=PullResponse.deserialize
        )
        self._lock = threading.Lock()
        self._idle: defaultdict[tuple[str, int], list[grpc.Future]] = defaultdict(list)
        self._waited_for: dict[grpc.Future, threading.Event] = {}
        self._has_ended = self._closed = False

    def received(self, subscription: str, limit: int, *, wait: float) -> list[ReceivedMessage]:
        """Return what comes within `wait` seconds, nothing once it is closed or let go. Raises Unavailable."""
        over = threading.Event()
        call = self._taken(subscription, limit, over)
        if call is None:
            return []
        call.add_done_callback(lambda _: over.set())
        over.wait(wait)
        try:
            with google_errors("pull"):
                return _messages(call)
        except grpc.FutureTimeoutError:
            return self._put_back(subscription, limit, call)
        except grpc.FutureCancelledError:
            return []
        finally:
            self._waited_for.pop(call, None)

    def let_go(self) -> None:
        """Have those that wait return now, and whoever asks from now on; what is open stays open until `close`."""
        with self._lock:
            self._has_ended = True
            waiting = list(self._waited_for.values())
        for over in waiting:
            over.set()

    def close(self) -> list[tuple[str, ReceivedMessage]]:
        """Break off what is open; return, with their subscription, messages that came and nobody asked for."""
        with self._lock:
            self._has_ended = self._closed = True
            idle = [(subscription, call) for (subscription, _), calls in self._idle.items() for call in calls]
            waited_for = list(self._waited_for)
            self._idle.clear()
        for call in (*waited_for, *(call for _, call in idle)):
            call.cancel()
        return [(subscription, message) for subscription, call in idle for message in _left_over(call)]

    def _taken(self, subscription: str, limit: int, over: threading.Event) -> grpc.Future | None:
        """Return an open call, the waiting for which `over` ends; None where there will be none."""
        with self._lock:
            if self._has_ended:
                return None
            idle = self._idle[subscription, limit]
            call = idle.pop() if idle else self._opened(subscription, limit)
            self._waited_for[call] = over
        return call

    def _opened(self, subscription: str, limit: int) -> grpc.Future:
        request = PullRequest(subscription=subscription, max_messages=limit)
        metadata = [to_grpc_metadata([("subscription", subscription)])]
        return self._pull.future(request, timeout=_OPEN_SECONDS, metadata=metadata)

    def _put_back(self, subscription: str, limit: int, call: grpc.Future) -> list[ReceivedMessage]:
        """Leave the call to the next who asks; where there will be none, return what it brought after all."""
        with self._lock:
            if not self._closed:
                self._idle[subscription, limit].append(call)
                return []
        call.cancel()
        return _left_over(call)


def _messages(call: grpc.Future) -> list[ReceivedMessage]:
    """Raises FutureTimeoutError where nothing came yet, and grpc.RpcError and FutureCancelledError."""
    try:
        return list(call.result(timeout=0).received_messages)
    except grpc.RpcError as error:
        if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return []  # so it ends where nothing comes
        raise


def _left_over(call: grpc.Future) -> list[ReceivedMessage]:
    """Return what an open call brought before it was broken off."""
    return [] if call.cancelled() or call.exception() is not None else list(call.result().received_messages)
