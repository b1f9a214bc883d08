"""What the benchmarks of the pipeline read: the repository's own scanned sample, and a letter."""

from pathlib import Path

import pymupdf

SCAN = Path(__file__).parents[1] / "docs" / "samples" / "scan.pdf"


def scanned(pages: int) -> bytes:
    """A PDF of so many pages: those of the sample, in turn."""
    with pymupdf.open(SCAN) as sample, pymupdf.open() as document:
        for number in range(pages):
            document.insert_pdf(sample, from_page=number % len(sample), to_page=number % len(sample))
        return bytes(document.tobytes())


def letter() -> bytes:
    """A PDF of one page of forty lines of text, as a word processor writes it."""
    with pymupdf.open() as document:
        page = document.new_page()
        for line in range(40):
            page.insert_text((72, 72 + 16 * line), f"Line {line + 1}: a letter is text, and nothing has to be decoded.")
        return bytes(document.tobytes(deflate=True))
