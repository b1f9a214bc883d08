"""The functions' entry points, where Google's function runtimes look for them."""

from ingest_fn.entry import drop, prepare, submit, sweep
from notifier.entry import notify

__all__ = ["drop", "notify", "prepare", "submit", "sweep"]
