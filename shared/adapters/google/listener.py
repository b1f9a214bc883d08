"""Changes of single documents as Firestore tells them: one stream for all who wait, where the SDK has one for each."""

import itertools
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from google.api_core.exceptions import DeadlineExceeded, GoogleAPICallError
from google.cloud.firestore_v1.client import Client
from google.cloud.firestore_v1.document import DocumentReference
from google.cloud.firestore_v1.types.firestore import ListenRequest, ListenResponse, Target

log = logging.getLogger(__name__)

_OPEN_SECONDS = 60.0
"""How long a stream stays; where somebody waits then, it is opened anew."""
_BROKEN_SECONDS, _REFUSED_SECONDS = 0.1, 5.0
"""The pause after a stream that told something, and after one that told nothing. The emulator now and then garbles what
it tells of several documents at once, and gRPC ends the stream.
"""

_Requests = queue.SimpleQueue[ListenRequest | None]


class Listener:
    """Best effort: what changes while a stream is broken is told when there is another; who relies on it looks too."""

    def __init__(self, client: Client, changed: Callable[[str, dict[str, str]], None]) -> None:
        """`changed` gets a document's id and its fields that are strings, in a thread of the listener.

        That of each change, and of the state at the beginning.
        """
        self._client, self._changed = client, changed
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._targets: dict[int, str] = {}
        self._requests = _Requests()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @contextmanager
    def hear(self, reference: DocumentReference) -> Iterator[None]:
        """Hear of the document while the context is open. Waits for nothing."""
        number = next(self._numbers)
        with self._lock:
            self._targets[number] = reference._document_path
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
                self._thread.start()
            else:
                self._requests.put(self._added(number))
        try:
            yield
        finally:
            with self._lock:
                del self._targets[number]
                self._requests.put(self._request(remove_target=number))

    def close(self) -> None:
        """Hear of nothing more once the client is closed."""
        self._closed.set()

    def _run(self) -> None:
        while (requests := self._begun()) is not None:
            pause = _REFUSED_SECONDS
            try:
                for response in self._stream(requests):
                    pause = _BROKEN_SECONDS
                    self._take(response)
            except DeadlineExceeded:
                pass
            except (GoogleAPICallError, ValueError) as error:  # a channel that was closed says ValueError
                log.info("a stream broke", extra={"reason": type(error).__name__})
                self._closed.wait(pause)
            finally:
                requests.put(None)

    def _begun(self) -> _Requests | None:
        """Ask for all that is waited for, in a stream of its own; None where nobody waits any more."""
        with self._lock:
            if not self._targets or self._closed.is_set():
                self._thread = None
                return None
            self._requests = _Requests()
            for number in self._targets:
                self._requests.put(self._added(number))
            return self._requests

    def _stream(self, requests: _Requests) -> Iterable[ListenResponse]:
        api, asked = self._client._firestore_api, iter(requests.get, None)
        responses: Iterable[ListenResponse] = api.listen(
            asked, timeout=_OPEN_SECONDS, retry=None, metadata=self._client._rpc_metadata
        )
        return responses

    def _take(self, response: ListenResponse) -> None:
        raw = ListenResponse.pb(response)  # the SDK's own wrappers cost more than all the rest
        if raw.WhichOneof("response_type") == "document_change":
            document = raw.document_change.document
            strings = {name: value.string_value for name, value in document.fields.items()}
            self._changed(document.name.rpartition("/")[2], strings)

    def _added(self, number: int) -> ListenRequest:
        documents = Target.DocumentsTarget(documents=[self._targets[number]])
        return self._request(add_target=Target(documents=documents, target_id=number))

    def _request(self, **what: object) -> ListenRequest:
        return ListenRequest(database=self._client._database_string, **what)
