"""What a file is, by its first bytes. Names and media types are hearsay."""

from enum import StrEnum

SNIFFED = 1024 + 4
"""`%PDF-` may begin anywhere in the first 1024 bytes (Adobe's implementation note 13 to PDF 1.7; readers do so)."""


class Kind(StrEnum):
    PDF = "pdf"
    PNG = "png"
    JPEG = "jpeg"
    TIFF = "tiff"
    WEBP = "webp"


_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"II*\x00", Kind.TIFF),
    (b"MM\x00*", Kind.TIFF),
    (b"II+\x00", Kind.TIFF),  # BigTIFF
    (b"MM\x00+", Kind.TIFF),
)


def sniff(head: bytes) -> Kind | None:
    """Say what a file is that begins with `head`, its first SNIFFED bytes; None where it is nothing that we read."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind.WEBP
    return Kind.PDF if b"%PDF-" in head[:SNIFFED] else None
