"""Pure changes that tests of several processes share."""

from dataclasses import replace

from shared.domain.job import Job


def checked(job: Job) -> Job:
    return replace(job, checks=job.checks + 1)
