"""Settings: read once, every problem at once, nothing unknown, no secret in any text."""

from dataclasses import fields
from pathlib import Path

import pytest

from shared.config import ENGINES, Settings, SettingsError, explain, read_settings

SECRET = "whsec_bm90IGEgcmVhbCBzZWNyZXQsIGJ1dCBsb25n"
HOME = {"HOME": "/home/somebody"}


def problems_of(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(environment)
    return caught.value.problems


def test_nothing_needs_to_be_set() -> None:
    settings = read_settings({})

    assert settings == Settings()
    assert settings.data.is_absolute()


def test_what_is_set_is_read() -> None:
    settings = read_settings(
        {
            "PAGEMILL_DATA": "/srv/pagemill",
            "PAGEMILL_PORT": "0",
            "PAGEMILL_PUBLIC_URL": "https://documents.example/mill/",
            "PAGEMILL_ENGINE": "null",
            "PAGEMILL_FETCH_ALLOW": "intranet.example, 10.0.0.0/8",
            "PAGEMILL_CALLBACK_SECRET": f"{SECRET} {SECRET}",
            "PAGEMILL_CALLBACK_ALLOW_HTTP": "Yes",
            "PAGEMILL_DEADLINE_HOURS": "0.5",
            "PAGEMILL_MAX_PAGES": "7",
        }
    )

    assert (settings.data, settings.port) == (Path("/srv/pagemill"), 0)
    assert settings.public_url == "https://documents.example/mill"
    assert settings.engine_settings == ENGINES["null"]
    assert settings.fetch_allow.admits("intranet.example", None)
    assert [secret.reveal() for secret in settings.callback_secret] == [SECRET, SECRET]
    assert settings.callback_allow_http
    assert settings.limits.deadline.total_seconds() == 1800
    assert settings.limits.pages_a_document == 7


def test_every_problem_is_reported_at_once() -> None:
    problems = problems_of(
        {"PAGEMILL_PORT": "http", "PAGEMILL_PROT": "1", "PAGEMILL_ENGINE": "magic", "PAGEMILL_LOG_LEVEL": "loud"}
    )

    assert {problem.split(" ")[0].rstrip(":") for problem in problems} == {
        "PAGEMILL_PORT",
        "PAGEMILL_PROT",
        "PAGEMILL_ENGINE",
        "PAGEMILL_LOG_LEVEL",
    }


def test_an_unknown_name_of_ours_is_refused_and_a_strangers_is_not() -> None:
    assert problems_of({"PAGEMILL_PROT": "1"}) == ["PAGEMILL_PROT is not a setting of pagemill"]
    assert read_settings({"PROT": "1", "PATH": "/bin"}) == Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HOST", ""),
        ("DATA", ""),
        ("DATA", "~nobody-of-this-name/data"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "8000.0"),
        ("PORT", "9" * 5000),
        ("PORT", "\u0661"),
        ("MAX_BYTES", "0"),
        ("ENGINE_WORKERS", "65"),
        ("PAGE_SECONDS", "nan"),
        ("PAGE_SECONDS", "inf"),
        ("PAGE_SECONDS", "1e3"),
        ("DEADLINE_HOURS", "0"),
        ("CALLBACK_ALLOW_HTTP", "perhaps"),
        ("PUBLIC_URL", "documents.example"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https:////"),
        ("PUBLIC_URL", "https://user:word@documents.example"),
        ("PUBLIC_URL", "https://documents.example/?a=b"),
        ("FETCH_ALLOW", "10.0.0.0/99"),
        ("LOG_LEVEL", "TRACE"),
    ],
)
def test_a_value_that_makes_no_sense_is_one_problem_that_names_its_setting(name: str, text: str) -> None:
    (problem,) = problems_of({f"PAGEMILL_{name}": text})

    assert problem.startswith(f"PAGEMILL_{name}: ")
    assert len(problem) < 200


@pytest.mark.parametrize("text", ["whsec_dG9vIHNob3J0", "bm90IGEgcmVhbCBzZWNyZXQsIGJ1dCBsb25n", f"{SECRET},{SECRET}"])
def test_a_problem_with_a_secret_does_not_repeat_it(text: str) -> None:
    (problem,) = problems_of({"PAGEMILL_CALLBACK_SECRET": text})

    assert text.removeprefix("whsec_") not in problem


def test_a_secret_is_in_no_text_of_the_settings() -> None:
    environment = {"PAGEMILL_CALLBACK_SECRET": SECRET}
    settings = read_settings(environment)

    texts = [repr(settings), str(settings), repr(explain(settings, environment))]

    assert not any(SECRET.removeprefix("whsec_") in text for text in texts)
    assert "***" in repr(settings)


def test_each_setting_is_documented_and_shown_with_its_origin() -> None:
    environment = {"PAGEMILL_PORT": "9000", "PAGEMILL_FETCH_ALLOW": "10.0.0.0/8,intranet.example"}

    explained = {each.name: each for each in explain(read_settings(environment), environment)}

    assert len(explained) == len(fields(Settings))
    assert all(each.doc for each in explained.values())
    assert (explained["PAGEMILL_PORT"].value, explained["PAGEMILL_PORT"].origin) == ("9000", "environment")
    assert (explained["PAGEMILL_HOST"].value, explained["PAGEMILL_HOST"].origin) == ("127.0.0.1", "default")
    assert explained["PAGEMILL_FETCH_ALLOW"].value == "intranet.example,10.0.0.0/8"
    assert explained["PAGEMILL_CALLBACK_ALLOW_HTTP"].value == "false"
    assert explained["PAGEMILL_PUBLIC_URL"].value == ""


def test_what_is_shown_can_be_set() -> None:
    environment = {f"PAGEMILL_{name}": text for name, text in {"PORT": "1", "FETCH_ALLOW": "10.0.0.0/8"}.items()}
    settings = read_settings(environment)

    shown = {each.name: each.value for each in explain(settings, environment) if each.value}

    assert read_settings(shown) == settings


def test_the_default_limits_are_never_unlimited() -> None:
    limits = Settings().limits

    assert 0 < limits.bytes_a_document <= 200_000_000
    assert 0 < limits.pages_a_document <= 2_000
    assert 1 <= Settings().engine_workers <= 64
