"""Idempotency keys in Firestore: written in one commit with their job, and erased in one with it."""

from collections.abc import Mapping
from typing import Any

from google.cloud.firestore_v1.base_document import DocumentSnapshot
from google.cloud.firestore_v1.client import Client
from google.cloud.firestore_v1.document import DocumentReference

from shared.adapters.google.documents import Documents
from shared.adapters.google.indexes import KEY_SLACK, TTL_FIELD
from shared.adapters.google.kinds import JOB, Fields, document_id, field
from shared.domain.errors import IdempotencyConflict
from shared.domain.job import Job
from shared.ports.jobs import IdempotencyKey


class Keys:
    def __init__(self, client: Client, documents: Documents) -> None:
        self._client, self._documents = client, documents
        self._jobs, self._keys = client.collection("jobs"), client.collection("keys")

    def writes(self, job: Job, key: IdempotencyKey | None) -> Mapping[DocumentReference, Fields]:
        """Return the documents that are created together. The job knows its key, so that both can be erased."""
        job_document = JOB.fields(job) | {"key": key.hash if key else None}
        if key is None:
            return {self._jobs.document(job.id): job_document}
        lives_until = job.deadline_at + job.limits.retention + KEY_SLACK
        key_document = {"job": job.id, "fingerprint": key.fingerprint, TTL_FIELD: lives_until}
        return {self._jobs.document(job.id): job_document, self._keys.document(key.hash): key_document}

    def find(self, key: IdempotencyKey) -> Job | None:
        """Raises IdempotencyConflict. A key whose job is gone is as good as none."""
        stored = self._documents.read(self._keys.document(key.hash))
        job = None if stored is None else self._job_of(stored)
        if stored is None or job is None:
            return None
        if field(stored, "fingerprint") != key.fingerprint:
            raise IdempotencyConflict("another request has this key")
        return JOB.read(job)

    def free(self, key: IdempotencyKey) -> None:
        """Erase the key if its job is gone: Firestore's own erasing keeps no order."""
        stored = self._documents.read(self._keys.document(key.hash))
        if stored is not None and self._job_of(stored) is None:
            batch = self._client.batch()
            batch.delete(stored.reference, option=self._documents.unchanged(stored.update_time))
            self._documents.commit(batch)

    def erase_with_job(self, reference: DocumentReference) -> None:
        """Erase the job and, in the same commit, the key if it is still the job's own."""
        for _ in self._documents.deadline().tries("erase"):
            job = self._documents.read(reference)
            if job is None:
                return
            batch = self._client.batch()
            batch.delete(reference)
            key = self._key_of(job)
            if key is not None:
                batch.delete(key.reference, option=self._documents.unchanged(key.update_time))
            if self._documents.commit(batch):
                return

    def _job_of(self, key: DocumentSnapshot[Any]) -> DocumentSnapshot[Any] | None:
        return self._documents.read(self._jobs.document(document_id(str(field(key, "job")))))

    def _key_of(self, job: DocumentSnapshot[Any]) -> DocumentSnapshot[Any] | None:
        hash_ = field(job, "key")
        key = None if hash_ is None else self._documents.read(self._keys.document(hash_))
        return key if key is not None and field(key, "job") == job.id else None
