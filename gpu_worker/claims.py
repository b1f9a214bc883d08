"""Which ranges this worker has, said in the store while it lives: other workers and `sweep` leave those alone.

A claim is what tells a page that is being read from one whose worker died. It is not a lock: where one is lost, a page
is read twice, and the first reading stands.
"""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import timedelta

from shared.consume import HandBack
from shared.domain.errors import Unavailable, UnknownJob
from shared.domain.job import JobId
from shared.domain.page import PageRange
from shared.ports.clock import Clock
from shared.ports.jobs import JobStore

log = logging.getLogger(__name__)

LIFE = timedelta(seconds=15)
"""How long the ranges of a worker that was killed have to wait."""
RENEW_SECONDS = 5.0
_AT_ONCE = 16
"""Renewals under way: each is a round trip, and one that stalls must leave room for the others."""


class Claims:
    """`me` names this worker, and no other that ever was."""

    def __init__(self, store: JobStore, clock: Clock, *, me: str) -> None:
        self._store, self._clock, self._me = store, clock, me
        self._lock = threading.Lock()
        self._held: set[tuple[JobId, str]] = set()
        self._renewing: set[tuple[JobId, str]] = set()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="claims")

    def check(self, range_: PageRange) -> None:
        """Raises HandBack where a living claim is on a range as it was just read."""
        if range_.is_claimed(now=self._clock.now()):
            raise self._taken(range_)

    @contextmanager
    def held(self, job_id: JobId, range_id: str) -> Iterator[PageRange]:
        """Claim the range while the context is open. Raises UnknownJob, and HandBack where a living claim is on it."""
        range_ = self._store.update_range(job_id, range_id, self._claimed)
        if range_.claimed_by != self._me or (job_id, range_id) in self._held:
            raise self._taken(range_)
        with self._lock:
            self._held.add((job_id, range_id))
        try:
            yield range_
        finally:
            if self._let_go(job_id, range_id):
                self._give_up(job_id, range_id)

    def forget(self, job_id: JobId, range_id: str) -> None:
        """Spare a claim that is held the write that gives it up: its job has ended, and nobody asks for it any more."""
        self._let_go(job_id, range_id)

    def renew(self) -> None:
        """Say of every range in hand that it still is; called every `RENEW_SECONDS`, and never takes longer.

        Best effort: a range that the store refuses or keeps waiting costs no other its claim.
        """
        with self._lock:
            due = self._held - self._renewing
            self._renewing |= due
        renewals = [self._threads.submit(self._renew, *each) for each in due]
        for each in wait(renewals, timeout=RENEW_SECONDS).done:
            each.result()

    def close(self) -> None:
        """Renew no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _renew(self, job_id: JobId, range_id: str) -> None:
        until = self._clock.now() + LIFE
        try:
            self._store.update_range(job_id, range_id, lambda each: each.kept(by=self._me, until=until))
        except UnknownJob:
            pass  # erased: whoever reads it will see
        except Unavailable:
            log.warning("a claim was not renewed", extra={"job_id": job_id, "range": range_id}, exc_info=True)
        finally:
            with self._lock:
                self._renewing.discard((job_id, range_id))

    def _let_go(self, job_id: JobId, range_id: str) -> bool:
        """Whether it was held until now."""
        with self._lock:
            was_held = (job_id, range_id) in self._held
            self._held.discard((job_id, range_id))
        return was_held

    def _claimed(self, range_: PageRange) -> PageRange:
        now = self._clock.now()
        return range_.claimed(by=self._me, now=now, until=now + LIFE)

    def _taken(self, range_: PageRange) -> HandBack:
        now = self._clock.now()
        return HandBack("claimed", delay=max(timedelta(0), (range_.claimed_until or now) - now))

    def _give_up(self, job_id: JobId, range_id: str) -> None:
        try:
            self._store.update_range(job_id, range_id, lambda each: each.given_up(by=self._me))
        except UnknownJob:
            log.info("erased while it was read", extra={"job_id": job_id})
