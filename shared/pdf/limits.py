"""What a document may cost. Every default is a limit; none is "unlimited"."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`open_seconds`: opening walks the file once at worst (repair of a damaged one), seconds for hundreds of MB.
    `page_seconds`: a slow honest page (a map of vectors) takes a few seconds, a hostile one takes for ever.
    `save_seconds`: a decrypted copy rewrites the whole file.
    `start_seconds`: the first import on a cold machine, and a fork on a very busy one; no document is to blame for it.
    `memory_bytes`: address space of one document's process beyond what all share and the file itself; a page of
    `max_pixels` with several transparency groups needs about 1 GB. As many of them as documents are open should fit
    the machine: a child that the system kills for want of memory is a crash of its page.
    `max_pixels`: A3 at 400 dpi is 31 million; 40 million are 120 MB of RGB, the most that one page image holds.
    `max_source_pixels`: an image is decoded whole before it is reduced; A0 at 400 dpi is 248 million.
    """

    open_seconds: float = 30.0
    page_seconds: float = 30.0
    save_seconds: float = 60.0
    start_seconds: float = 60.0
    memory_bytes: int = 2 * 1024**3
    max_pixels: int = 40_000_000
    max_source_pixels: int = 250_000_000
