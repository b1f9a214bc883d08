"""What every object store promises."""

import io
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.ports.objects import ObjectStore, ObjectTooLarge, UnknownObject
from tests.contract.families import Family
from tests.racing import race

NAME = "jobs/1/pages/0001.json"
UPLOAD = "uploads/acme/1"
LARGE = 3 << 20
LARGER = 9 << 20
"""Than what any store would take in one piece."""
HOUR = timedelta(hours=1)


def names(objects: ObjectStore, prefix: str) -> set[str]:
    return set(objects.names(prefix))


def test_an_object_is_read_as_it_was_stored(objects: ObjectStore) -> None:
    assert objects.create(NAME, b"content")

    assert objects.exists(NAME)
    assert objects.read(NAME) == b"content"


def test_an_empty_object_is_an_object(objects: ObjectStore) -> None:
    assert objects.create(NAME, b"")

    assert objects.exists(NAME)
    assert objects.read(NAME) == b""


@pytest.mark.parametrize("size", [0, 1, LARGE, LARGER])
def test_a_stream_is_stored_whole_from_where_it_stands(objects: ObjectStore, size: int) -> None:
    content = os.urandom(size)
    stream = io.BytesIO(b"head" + content)
    stream.seek(4)

    assert objects.create(NAME, stream)

    assert objects.read(NAME) == content


def test_an_object_is_written_once(objects: ObjectStore) -> None:
    objects.create(NAME, b"first")

    assert not objects.create(NAME, b"second")
    assert not objects.create(NAME, io.BytesIO(b"third"))

    assert objects.read(NAME) == b"first"


def test_of_32_that_race_one_wins_and_its_whole_content_stands(objects: ObjectStore) -> None:
    contents = [bytes([index]) * LARGE for index in range(32)]

    won = race(32, lambda index: objects.create(NAME, io.BytesIO(contents[index])))

    assert won.count(True) == 1
    assert objects.read(NAME) == contents[won.index(True)]


class Broken(io.RawIOBase):
    """A stream that ends in the middle, as a connection does."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.left = 3

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        self.left -= 1
        if not self.left:
            raise self.error
        return b"x" * max(size, 1)


@pytest.mark.parametrize("error", [ValueError("broken"), KeyError("broken")], ids=repr)
def test_a_write_that_breaks_off_leaves_nothing(objects: ObjectStore, error: Exception) -> None:
    with pytest.raises(type(error), match="broken"):
        objects.create(NAME, Broken(error))  # type: ignore[arg-type]  # as much of a file as is read

    assert not objects.exists(NAME)
    assert names(objects, "jobs/") == set()
    assert objects.create(NAME, b"content")


@pytest.mark.parametrize("pinned", [False, True], ids=["newest", "version"])
def test_an_object_is_opened_up_to_the_size_that_was_agreed(objects: ObjectStore, *, pinned: bool) -> None:
    objects.create(NAME, b"0123456789")
    version = objects.version(NAME) if pinned else None

    with objects.open(NAME, version=version, most=10) as file:
        assert file.read() == b"0123456789"
    with pytest.raises(ObjectTooLarge):
        objects.open(NAME, version=version, most=9)
    with pytest.raises(UnknownObject):
        objects.open(f"{NAME}/more", version=version, most=9)


def test_an_open_object_is_seekable_and_has_a_descriptor(objects: ObjectStore) -> None:
    objects.create(NAME, b"0123456789")

    with objects.open(NAME) as file:
        file.seek(7)
        assert file.read() == b"789"
        assert file.seekable()
        assert os.fstat(file.fileno()).st_size == 10


def test_an_object_that_is_open_is_read_to_its_end_though_it_is_erased(objects: ObjectStore) -> None:
    objects.create(NAME, b"content")

    with objects.open(NAME) as file:
        objects.erase("jobs/1/")
        assert file.read() == b"content"


@pytest.mark.parametrize("name", [NAME, "jobs/1", "jobs/1/pages", f"{NAME}/more"])
def test_what_is_not_there_is_unknown(objects: ObjectStore, name: str) -> None:
    objects.create("jobs/1/pages/0002.json", b"another")

    assert not objects.exists(name)
    with pytest.raises(UnknownObject):
        objects.read(name)
    with pytest.raises(UnknownObject):
        objects.open(name)
    with pytest.raises(UnknownObject):
        objects.version(name)
    with pytest.raises(UnknownObject):
        objects.copy(name, "jobs/2/copy")
    assert objects.erase(name) == 0
    assert names(objects, "jobs/") == {"jobs/1/pages/0002.json"}


def test_a_copy_is_an_object_of_its_own(objects: ObjectStore) -> None:
    objects.create("uploads/acme/1", b"content")

    assert objects.copy("uploads/acme/1", "jobs/1/source")
    objects.erase("uploads/acme/1")

    assert objects.read("jobs/1/source") == b"content"


def test_a_copy_overwrites_nothing(objects: ObjectStore) -> None:
    objects.create("uploads/acme/1", b"one")
    objects.create("jobs/1/source", b"two")

    assert not objects.copy("uploads/acme/1", "jobs/1/source")

    assert objects.read("jobs/1/source") == b"two"


def test_names_are_those_below_the_prefix_and_no_neighbours(objects: ObjectStore) -> None:
    for name in ("jobs/1/a", "jobs/1/pages/b", "jobs/10/c", "uploads/d"):
        objects.create(name, b"")

    assert names(objects, "jobs/1/") == {"jobs/1/a", "jobs/1/pages/b"}
    assert names(objects, "jobs/") == {"jobs/1/a", "jobs/1/pages/b", "jobs/10/c"}
    assert names(objects, "nothing/") == set()


def test_erasing_one_object_leaves_its_neighbours(objects: ObjectStore) -> None:
    for name in ("jobs/1/a", "jobs/1/ab"):
        objects.create(name, b"")

    assert objects.erase("jobs/1/a") == 1
    assert objects.erase("jobs/1/a") == 0
    assert names(objects, "jobs/") == {"jobs/1/ab"}


def test_erasing_a_prefix_leaves_its_neighbours(objects: ObjectStore) -> None:
    for name in ("jobs/1/a", "jobs/1/pages/b", "jobs/10/c"):
        objects.create(name, b"")

    assert objects.erase("jobs/1/") == 2
    assert objects.erase("jobs/1/") == 0
    assert names(objects, "jobs/") == {"jobs/10/c"}


def test_what_was_erased_can_be_created_anew(objects: ObjectStore) -> None:
    objects.create(NAME, b"first")
    objects.erase("jobs/1/")

    assert objects.create(NAME, b"second")
    assert objects.read(NAME) == b"second"


def test_erasing_and_creating_at_once_disturb_each_other_in_nothing_but_the_outcome(objects: ObjectStore) -> None:
    def act(index: int) -> None:
        for number in range(40):
            if index % 4 == 0:
                objects.erase("jobs/1/")
            elif index % 4 == 1:
                names(objects, "jobs/")
            else:
                assert objects.create(f"jobs/1/pages/{index}/{number}", b"content")

    race(8, act)

    objects.erase("jobs/1/")
    assert names(objects, "jobs/") == set()


def test_what_is_old_expires_and_what_is_young_stays(objects: ObjectStore) -> None:
    objects.create("uploads/acme/1", b"")
    objects.create("jobs/1/source", b"")
    now = datetime.now(UTC)

    assert objects.expire("uploads/", before=now - timedelta(hours=1)) == 0
    expired = objects.expire("uploads/", before=now + timedelta(hours=1))

    assert expired + len(names(objects, "uploads/")) == 1  # a bucket's lifecycle rule does it by itself, later
    assert objects.exists("jobs/1/source")


def test_what_another_object_dates_stays_and_goes_with_it(objects: ObjectStore) -> None:
    names_of_two = [f"cache/ab/{entry}/{part}" for entry in ("1", "2") for part in ("images/1.png", "entry.json")]
    for name in names_of_two:
        objects.create(name, b"")
    now = datetime.now(UTC)

    assert objects.expire("cache/ab/", before=now - timedelta(hours=1), dated_by="entry.json") == 0
    assert names(objects, "cache/ab/") == set(names_of_two)
    expired = objects.expire("cache/ab/", before=now + timedelta(hours=1), dated_by="entry.json")

    assert expired in {0, 4}
    assert expired + len(names(objects, "cache/ab/")) == 4


def test_what_expired_or_was_erased_may_be_created_again(objects: ObjectStore) -> None:
    name = "cache/ab/acme/pages/recipe/digest/images/1.png"
    objects.create(name, b"before")

    expired = objects.expire("cache/ab/", before=datetime.now(UTC) + timedelta(hours=1))
    assert expired + objects.erase("cache/ab/") == 1

    assert objects.create(name, b"after")
    assert objects.read(name) == b"after"


def test_a_store_that_works_says_so(objects: ObjectStore) -> None:
    objects.check()


ESCAPES = [
    *("", ".", "..", "/", "../x", "jobs/../../x", "jobs/./x", "/etc/passwd", "jobs//x", "jobs/x\x00", "jobs/x\n"),
    *("jobs/..\\x", "jobs/\x7fx", "jobs/\ud800", "jobs/" + "x" * 201, "jobs/" + "é" * 101, "/".join(["x" * 100] * 20)),
]


@pytest.mark.parametrize("name", ESCAPES, ids=lambda name: ascii(name)[:20])
def test_a_name_that_tries_to_escape_is_refused_and_touches_nothing(objects: ObjectStore, name: str) -> None:
    objects.create("kept/1", b"")

    for refused in (
        lambda: objects.create(name, b""),
        lambda: objects.exists(name),
        lambda: objects.open(name),
        lambda: objects.read(name),
        lambda: objects.copy(name, "kept/2"),
        lambda: objects.copy("kept/1", name),
        lambda: list(objects.names(f"{name}/")),
        lambda: objects.erase(name),
        lambda: objects.erase(f"{name}/"),
        lambda: objects.expire(f"{name}/", before=datetime.now(UTC)),
        lambda: objects.link(name, HOUR),
        lambda: objects.upload_link(name, HOUR, max_bytes=1),
        lambda: objects.version(name),
        lambda: objects.uri(name),
    ):
        with pytest.raises(ValueError, match="name"):
            refused()
    assert names(objects, "kept/") == {"kept/1"}


def test_a_prefix_ends_with_a_slash(objects: ObjectStore) -> None:
    with pytest.raises(ValueError, match="/"):
        list(objects.names("jobs"))
    with pytest.raises(ValueError, match="/"):
        objects.expire("jobs", before=datetime.now(UTC))


def test_a_link_serves_its_object_until_its_time_is_over(family: Family) -> None:
    family.objects.create(NAME, b"content")

    link = family.objects.link(NAME, HOUR)

    assert family.serves(link)
    assert family.serves(link, later=timedelta(minutes=59))
    assert not family.serves(link, later=HOUR)


def changed(link: str) -> Iterator[str]:
    """The link with another name, and with each value of its query changed, one at a time."""
    yield link.replace("0001.json", "0002.json")
    yield link.replace("jobs/1", "jobs/2")
    before, _, query = link.partition("?")
    pairs = query.split("&")
    for index, pair in enumerate(pairs):
        name, _, value = pair.partition("=")
        digit = "9" if value.isdecimal() else "%C3%A9"
        yield f"{before}?{'&'.join([*pairs[:index], f'{name}={digit}{value}', *pairs[index + 1 :]])}"


def test_a_link_that_was_changed_serves_nothing(family: Family) -> None:
    family.objects.create(NAME, b"content")
    family.objects.create("jobs/1/pages/0002.json", b"another")
    link = family.objects.link(NAME, HOUR)

    for other in changed(link):
        assert other != link
        assert not family.serves(other), other


def test_an_upload_link_takes_an_upload_until_its_time_is_over(family: Family) -> None:
    link = family.objects.upload_link(UPLOAD, HOUR, max_bytes=10)

    assert not family.takes(link, b"content", later=HOUR)
    assert not family.objects.exists(UPLOAD)
    assert family.takes(link, b"content", later=timedelta(minutes=59))
    assert family.objects.read(UPLOAD) == b"content"


def test_an_upload_link_takes_one_upload(family: Family) -> None:
    link = family.objects.upload_link(UPLOAD, HOUR, max_bytes=10)
    family.takes(link, b"first")

    assert not family.takes(link, b"second")

    assert family.objects.read(UPLOAD) == b"first"


def test_an_upload_link_takes_no_more_than_was_agreed(family: Family) -> None:
    link = family.objects.upload_link(UPLOAD, HOUR, max_bytes=10)

    assert not family.takes(link, b"x" * 11)
    assert not family.objects.exists(UPLOAD)
    assert family.takes(link, b"x" * 10)


def test_an_upload_link_that_was_changed_takes_nothing(family: Family) -> None:
    link = family.objects.upload_link("uploads/jobs/1/0001.json", HOUR, max_bytes=10)

    for other in changed(link.url):
        assert not family.takes(replace(link, url=other), b"content"), other
    for name in link.headers:
        more = {**link.headers, name: "0,99"}
        assert not family.takes(replace(link, headers=more), b"content"), name
    assert names(family.objects, "uploads/") == set()


def test_links_of_one_kind_are_none_of_the_other(family: Family) -> None:
    family.objects.create(UPLOAD, b"content")

    upload = family.objects.upload_link(UPLOAD, HOUR, max_bytes=10)

    assert not family.serves(upload.url)


STRANGE_NAMES = [
    *("inbox/acme/Bericht (Entwurf) 50%.pdf", "inbox/acme/é/日本語.pdf", "inbox/a+b&c=d;e,f", "inbox/x?y#z", "inbox/ "),
    *("inbox/%2e%2e/x", "inbox/..x", "inbox/~", 'inbox/"<>*|[]{}^`$', "inbox/" + "é" * 100, "jobs/\u2024\u2024/x"),
]


@pytest.mark.parametrize("name", STRANGE_NAMES, ids=lambda name: ascii(name)[:30])
def test_whatever_a_file_is_called_it_is_an_object_like_any_other(family: Family, name: str) -> None:
    objects = family.objects

    assert objects.create(name, b"content")

    assert objects.exists(name)
    assert objects.read(name) == b"content"
    with objects.open(name, version=objects.version(name)) as file:
        assert file.read() == b"content"
    assert names(objects, f"{name.partition('/')[0]}/") == {name}
    assert objects.named(objects.uri(name)) == name
    assert family.serves(objects.link(name, HOUR))
    assert objects.copy(name, "jobs/copy")
    assert objects.erase(name) == 1
    assert not objects.exists(name)


SEGMENTS = ("jobs", "cache", "inbox", "uploads", "outbox")


@pytest.mark.parametrize("segment", SEGMENTS)
def test_wherever_an_object_is_kept_it_is_found_under_its_name(objects: ObjectStore, segment: str) -> None:
    for other in SEGMENTS:
        objects.create(f"{other}/acme/1", other.encode())

    assert objects.read(f"{segment}/acme/1") == segment.encode()
    assert names(objects, f"{segment}/") == {f"{segment}/acme/1"}
    assert objects.copy(f"{segment}/acme/1", "kept/1")
    assert objects.erase(f"{segment}/") == 1
    assert sum(len(names(objects, f"{other}/")) for other in SEGMENTS) == len(SEGMENTS) - 1


def test_a_uri_names_its_object_and_no_other_means_one(objects: ObjectStore) -> None:
    uri = objects.uri("inbox/acme/a.pdf")

    assert uri.startswith("gs://")
    assert objects.named(uri) == "inbox/acme/a.pdf"
    for other in (
        "inbox/acme/a.pdf",
        "gs://",
        "gs://elsewhere/inbox/acme/a.pdf",
        f"{uri}/",
        f"{uri}/../b",
        uri[3:],
        "",
    ):
        assert objects.named(other) is None, other


def test_a_version_is_of_one_object_whatever_else_has_its_name(objects: ObjectStore) -> None:
    objects.create(NAME, b"first")
    first = objects.version(NAME)
    objects.erase(NAME)
    objects.create(NAME, b"second")

    assert objects.version(NAME) == objects.version(NAME) != first
    with objects.open(NAME, version=objects.version(NAME)) as file:
        assert file.read() == b"second"
    with pytest.raises(UnknownObject):
        objects.open(NAME, version=first)


@pytest.mark.parametrize("version", ["", "x", "0", "-1", "1" * 40, "é"])
def test_what_was_never_a_version_opens_nothing(objects: ObjectStore, version: str) -> None:
    objects.create(NAME, b"content")

    with pytest.raises(UnknownObject):
        objects.open(NAME, version=version)
