"""The documents that the benchmarks of the pipeline are measured on: the repository's own scanned sample."""

from pathlib import Path

import pymupdf

SCAN = Path(__file__).parents[1] / "docs" / "samples" / "scan.pdf"


def scanned(pages: int) -> bytes:
    """A PDF of so many pages: those of the sample, in turn."""
    with pymupdf.open(SCAN) as sample, pymupdf.open() as document:
        for number in range(pages):
            document.insert_pdf(sample, from_page=number % len(sample), to_page=number % len(sample))
        return bytes(document.tobytes())
