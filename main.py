"""The functions' entry points, where Google's function runtimes look for them."""

from ingest_fn.entry import submit

__all__ = ["submit"]
