"""An operator erases a tenant: all its jobs, nobody else's, and nothing of them is left."""

from click.testing import CliRunner

from local.cli import cli
from local.erase import erase_jobs
from shared.domain.job import Job
from shared.domain.status import Status
from tests import samples
from tests.pipeline import Pipeline
from tests.serving import environment

PAGE = samples.pdf(["Some text"])


def jobs_of(pipe: Pipeline, tenant: str) -> tuple[Job, ...]:
    return pipe.store.search(tenant, status=None, batch=None, cursor=None, limit=100).jobs


def sent(pipe: Pipeline) -> None:
    """Two jobs of acme's and one of default's, read to their end."""
    for name in ("a", "b"):
        pipe.drop(pipe.put(f"inbox/acme/{name}.pdf", PAGE))
    pipe.submit(PAGE)
    pipe.drain()


def test_the_command_marks_the_tenants_jobs_and_no_others(pipe: Pipeline) -> None:
    sent(pipe)
    variables = environment(pipe.platform.settings.data)

    done = CliRunner().invoke(cli, ["erase", "--tenant", "acme"], env=variables, input="y\n")

    assert done.exit_code == 0, done.output
    assert "2 jobs of acme" in done.output
    assert jobs_of(pipe, "acme") == ()
    assert [job.status for job in jobs_of(pipe, "default")] == [Status.FINISHED]


def test_without_a_yes_nothing_is_erased(pipe: Pipeline) -> None:
    sent(pipe)

    done = CliRunner().invoke(
        cli, ["erase", "--tenant", "acme"], env=environment(pipe.platform.settings.data), input="n\n"
    )

    assert done.exit_code == 1
    assert len(jobs_of(pipe, "acme")) == 2


def test_what_is_marked_is_gone_with_the_next_sweep(pipe: Pipeline) -> None:
    sent(pipe)
    prefixes = [job.prefix for job in jobs_of(pipe, "acme")]
    assert all(list(pipe.objects.names(prefix)) for prefix in prefixes)

    assert erase_jobs("acme", pipe.platform) == 2
    pipe.heal()

    assert not any(list(pipe.objects.names(prefix)) for prefix in prefixes)


def test_more_jobs_than_one_look_shows_are_all_marked(pipe: Pipeline) -> None:
    for _ in range(205):
        pipe.submit(PAGE)

    assert erase_jobs("default", pipe.platform) == 205
    assert erase_jobs("default", pipe.platform) == 0
