"""What the listener hears of Firestore's documents, and what becomes of its stream."""

import itertools
import queue
import threading
from collections.abc import Iterator, Mapping

import pytest
from google.cloud.firestore_v1.document import DocumentReference

from shared.adapters.google import listener as module
from shared.adapters.google.listener import Listener
from tests.contract.families import GoogleFamily
from tests.serving import until

Heard = queue.SimpleQueue[tuple[str, dict[str, str]]]


@pytest.fixture
def family(google: Mapping[str, str]) -> Iterator[GoogleFamily]:  # noqa: ARG001 - the environment that it reads
    family = GoogleFamily()
    yield family
    family.close()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def listener(family: GoogleFamily, heard: Heard) -> Iterator[Listener]:
    listener = Listener(family.clients.firestore, lambda name, fields: heard.put((name, fields)))
    yield listener
    listener.close()


def a_document(family: GoogleFamily, name: str, status: str) -> DocumentReference:
    reference = family.clients.firestore.document(f"jobs/{name}")
    reference.set({"status": status, "number": 1})
    return reference


def is_listening() -> bool:
    return "listener" in [thread.name for thread in threading.enumerate()]


def state(name: str, status: str) -> tuple[str, dict[str, str]]:
    return name, {"status": status, "number": ""}


def test_the_state_at_the_beginning_and_every_change_are_heard(
    family: GoogleFamily, listener: Listener, heard: Heard
) -> None:
    one, other = a_document(family, "one", "new"), a_document(family, "other", "new")

    with listener.hear(one):
        assert heard.get(timeout=10) == state("one", "new")
        one.update({"status": "changed"})
        assert heard.get(timeout=10) == state("one", "changed")
        with listener.hear(other):
            until(lambda: heard.get(timeout=10) == state("other", "new"))


def test_what_is_not_listened_to_any_more_is_soon_not_heard(
    family: GoogleFamily, listener: Listener, heard: Heard
) -> None:
    one, other = a_document(family, "one", "new"), a_document(family, "other", "new")
    with listener.hear(other):
        with listener.hear(one):
            one.update({"status": "changed"})
            until(lambda: heard.get(timeout=10) == state("one", "changed"))

        values = map(str, itertools.count())
        until(lambda: who_is_heard(one, other, heard, next(values)) == ["other"])


def who_is_heard(one: DocumentReference, other: DocumentReference, heard: Heard, status: str) -> list[str]:
    """Change both, the other last, and return the names of those that are told of until that is."""
    for reference in (one, other):
        reference.update({"status": status})
    names: list[str] = []
    while "other" not in names:
        name, fields = heard.get(timeout=10)
        names += [name] if fields["status"] == status else []
    return names


def test_a_stream_that_ends_is_followed_by_another_which_tells_what_is_so_by_then(
    family: GoogleFamily, listener: Listener, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_OPEN_SECONDS", 0.5)
    one = a_document(family, "one", "new")

    with listener.hear(one):
        assert [heard.get(timeout=10) for _ in range(3)] == [state("one", "new")] * 3
        one.update({"status": "changed"})
        until(lambda: heard.get(timeout=10) == state("one", "changed"))

    until(lambda: not is_listening())


def test_a_client_that_was_closed_ends_the_listening(family: GoogleFamily, listener: Listener, heard: Heard) -> None:
    with listener.hear(a_document(family, "one", "new")):
        heard.get(timeout=10)

        listener.close()
        family.clients.firestore._firestore_api.transport.close()

        until(lambda: not is_listening())
