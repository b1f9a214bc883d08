"""What counts as a document, and what is said of it when it is opened."""

from io import BytesIO
from pathlib import Path

import pytest

from shared.domain.errors import Corrupt, Empty, Encrypted, NotADocument
from shared.pdf.kind import Kind, sniff
from shared.pdf.sandbox import Limits, Sandbox
from tests import samples

KINDS = [
    (samples.pdf(["One", "Two"]), Kind.PDF, 2),
    (samples.scanned_pdf(["One"]), Kind.PDF, 1),
    (samples.truncated_pdf(), Kind.PDF, 3),
    (samples.png(), Kind.PNG, 1),
    (samples.jpeg(), Kind.JPEG, 1),
    (samples.tiff(), Kind.TIFF, 3),
    (samples.webp(), Kind.WEBP, 1),
]


@pytest.mark.parametrize(("data", "kind", "pages"), KINDS, ids=[f"{kind}-{pages}" for _, kind, pages in KINDS])
def test_a_document_is_what_its_content_says_whatever_its_name(
    sandbox: Sandbox, tmp_path: Path, data: bytes, kind: Kind, pages: int
) -> None:
    path = tmp_path / "holiday.mp3"
    path.write_bytes(data)

    with sandbox.open(path) as document:
        assert (document.kind, document.page_count, document.encrypted) == (kind, pages, False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF",
        b"\x89PNG",
        b"PK\x03\x04" + bytes(2000),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html>A page</html>",
        b"GIF89a" + bytes(100),
        b"RIFF\x00\x00\x00\x00WAVE",
        b" " * 1024 + samples.pdf(["Too late"]),
    ],
    ids=["nothing", "half-pdf", "half-png", "zip", "svg", "html", "gif", "wav", "late-pdf"],
)
def test_what_is_no_document_is_told_so_without_being_opened(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "invoice.pdf"
    path.write_bytes(data)
    sandbox = Sandbox()  # never started, so there is nothing to close

    with pytest.raises(NotADocument):
        sandbox.open(path)


@pytest.mark.parametrize("junk", [0, 1, 700, 1023])
def test_junk_of_up_to_a_kilobyte_may_stand_before_a_pdf(sandbox: Sandbox, junk: int) -> None:
    data = b"\n" * junk + samples.pdf(["Behind junk"])

    with samples.file(data) as file, sandbox.open(file) as document:
        assert document.page_count == 1


def test_an_image_that_contains_a_pdf_is_an_image() -> None:
    assert sniff(samples.png() + samples.pdf(["Hidden"])) is Kind.PNG


def test_both_byte_orders_and_big_tiff_are_tiff() -> None:
    heads = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

    assert {sniff(head + bytes(20)) for head in heads} == {Kind.TIFF}


def test_a_file_that_is_open_may_be_closed_once_the_document_is_open(sandbox: Sandbox) -> None:
    with samples.file(samples.pdf(["Still here"])) as file:
        document = sandbox.open(file)

    with document, document.render(1, dpi=36) as page:
        assert page.image.width == 298


@pytest.mark.parametrize(
    "data",
    [
        samples.corrupt_pdf(),
        b"%PDF-",
        samples.png()[:20],
        samples.jpeg()[:20],
        samples.tiff()[:12],
        samples.webp()[:20],
    ],
    ids=["pdf", "header", "png", "jpeg", "tiff", "webp"],
)
def test_what_cannot_be_repaired_is_corrupt(sandbox: Sandbox, data: bytes) -> None:
    with samples.file(data) as file, pytest.raises(Corrupt):
        sandbox.open(file)


def test_a_pdf_without_pages_is_empty(sandbox: Sandbox) -> None:
    with samples.file(samples.empty_pdf()) as file, pytest.raises(Empty):
        sandbox.open(file)


def test_a_damaged_pdf_of_which_no_page_is_left_is_corrupt_rather_than_empty(sandbox: Sandbox) -> None:
    data = samples.empty_pdf().partition(b"xref")[0]

    with samples.file(data) as file, pytest.raises(Corrupt):
        sandbox.open(file)


@pytest.mark.parametrize("password", [None, "", "wrong", "\ud800", "x" * 100_000])
def test_an_encrypted_document_opens_with_its_password_only(sandbox: Sandbox, password: str | None) -> None:
    with samples.file(samples.encrypted_pdf("sesame")) as file, pytest.raises(Encrypted):
        sandbox.open(file, password=password)


@pytest.mark.parametrize("password", ["sesame", "owner"])
def test_a_document_that_needed_a_password_says_so(sandbox: Sandbox, password: str) -> None:
    data = samples.encrypted_pdf("sesame", ["One", "Two"])

    with samples.file(data) as file, sandbox.open(file, password=password) as document:
        assert (document.encrypted, document.page_count) == (True, 2)


def test_a_document_with_an_empty_password_opens_without_one(sandbox: Sandbox) -> None:
    with samples.file(samples.encrypted_pdf("")) as file, sandbox.open(file) as document:
        assert document.encrypted is False


def test_a_password_that_was_not_needed_does_no_harm(sandbox: Sandbox) -> None:
    with samples.file(samples.pdf(["Open"])) as file, sandbox.open(file, password="sesame") as document:
        assert document.encrypted is False


def test_a_document_encrypted_for_a_certificate_is_encrypted(sandbox: Sandbox) -> None:
    with samples.file(samples.certificate_pdf()) as file, pytest.raises(Encrypted):
        sandbox.open(file, password="sesame")


def test_a_decrypted_copy_opens_without_a_password_and_looks_the_same(sandbox: Sandbox) -> None:
    copy = BytesIO()
    with (
        samples.file(samples.encrypted_pdf("sesame", ["Secret"])) as file,
        sandbox.open(file, password="sesame") as document,
        document.render(1, dpi=72) as page,
    ):
        before = bytes(page.image.rgb)
        document.save_decrypted(copy)

    with samples.file(copy.getvalue()) as file, sandbox.open(file) as document, document.render(1, dpi=72) as page:
        assert (document.encrypted, bytes(page.image.rgb) == before) == (False, True)


@pytest.mark.parametrize("data", [samples.pdf(["Open"]), samples.encrypted_pdf(""), samples.tiff()])
def test_a_document_that_needed_no_password_is_copied_byte_for_byte(sandbox: Sandbox, data: bytes) -> None:
    copy = BytesIO()

    with samples.file(data) as file, sandbox.open(file) as document:
        document.save_decrypted(copy)

    assert copy.getvalue() == data


def test_a_document_that_takes_too_long_to_open_is_corrupt() -> None:
    with (
        Sandbox(Limits(open_seconds=0.02)) as sandbox,
        samples.file(samples.slow_to_open_pdf()) as file,
        pytest.raises(Corrupt, match="opening: not done after"),
    ):
        sandbox.open(file)


def test_a_document_that_takes_too_much_memory_to_open_is_corrupt() -> None:
    with Sandbox(Limits(memory_bytes=20 * 1024**2)) as sandbox:
        with samples.file(samples.opening_bomb_pdf()) as file, pytest.raises(Corrupt):
            sandbox.open(file)
        with samples.file(samples.pdf(["Modest"])) as file, sandbox.open(file) as document:
            assert document.page_count == 1
