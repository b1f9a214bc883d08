"""Everything that a process counts and times, as Prometheus scrapes it; no label holds a caller's text."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "pagemill"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """One for each process. What is done on a best-effort basis, and may fail, is counted here."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.jobs_accepted = self._counter("jobs_accepted", "Jobs stored here, by kind of source.", "source")
        self.jobs_over_budget = self._counter("jobs_over_budget", "Jobs refused, by whose budget it was.", "whose")
        self.jobs_ended = self._counter("jobs_ended", "Rounds that ended here, by status.", "status")
        self.pages_ended = self._counter("pages_ended", "Pages that ended here, by status.", "status")
        self.page_seconds = self._histogram("page_seconds", "From a page's slot to its commit.", "engine")
        self.render_seconds = self._histogram("render_seconds", "Drawing one page in the sandbox.")
        self.messages = self._counter("messages", "Messages handled, by topic and outcome.", "topic", "outcome")
        self.message_seconds = self._histogram("message_seconds", "Handling one message.", "topic")
        self.malformed_messages = self._counter("malformed_messages", "Messages that nobody could understand.")
        self.callbacks = self._counter("callbacks", "Attempts to deliver a callback, by verdict.", "verdict")
        self.callback_seconds = self._histogram("callback_seconds", "One attempt to deliver a callback.")
        self.announcements_lost = self._counter("announcements_lost", "Jobs stored that the bus could not be told of.")
        self.cache_lookups = self._counter(
            "cache_lookups", "Entries asked for, by kind and outcome.", "kind", "outcome"
        )
        self.cache_entries_lost = self._counter("cache_entries_lost", "Readings that could not be kept.", "kind")
        self.sweeps_failed = self._counter("sweeps_failed", "Overdue jobs that could not be healed in one sweep.")
        self.engine_ready = self._gauge("engine_ready", "1 while the worker's engine is there, else 0.")
        self.pages_in_hand = self._gauge("pages_in_hand", "Pages that have a slot in this worker.")
        self.crashes = self._counter("crashes", "Errors that nobody had thought of, in any loop.")

    def exposed(self) -> bytes:
        """Return every figure in Prometheus' text format."""
        return generate_latest(self._registry)

    def value(self, name: str, **labels: str) -> float:
        """Return one figure by its name without the prefix; 0 where it was never counted."""
        return self._registry.get_sample_value(f"{_PREFIX}_{name}", labels) or 0.0

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", documentation, labels, registry=self._registry)

    def _gauge(self, name: str, documentation: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", documentation, registry=self._registry)

    def _histogram(self, name: str, documentation: str, *labels: str) -> Histogram:
        return Histogram(f"{_PREFIX}_{name}", documentation, labels, registry=self._registry, buckets=_SECONDS)
