"""What callers send, as pydantic models: the HTTP edge's only. Unknown fields are refused."""

import json
from collections.abc import Iterable
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from ingest_fn.submit import LONGEST_KEY, Submission
from shared.domain.errors import InvalidRequest
from shared.domain.options import MAX_DPI, MIN_DPI, Extra, Lane, Options, Tables

Body = TypeVar("Body", bound=BaseModel)

_Url = Annotated[str, Field(min_length=1, max_length=8192)]


class OptionsBody(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    dpi: Annotated[int, Field(ge=MIN_DPI, le=MAX_DPI)] | None = None
    orientation: bool = True
    unwarp: bool = False
    charts: bool = False
    seals: bool = False
    formula_numbers: bool = False
    tables: Tables = Tables.HTML
    include: frozenset[Extra] = frozenset()
    page_markers: bool = True
    cache: bool = True

    def to_domain(self) -> Options:
        return Options(**{name: getattr(self, name) for name in type(self).model_fields})


class JobBody(BaseModel):
    """What may be asked of any document, wherever it comes from: also what stands beside one in the inbox."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    callback_url: _Url | None = None
    pages: Annotated[str, Field(min_length=1, max_length=1_000, examples=["1-5,8,r3-r1"])] | None = None
    priority: Lane = Lane.EXPRESS
    options: OptionsBody = OptionsBody()
    password: Annotated[SecretStr, Field(max_length=1024)] | None = None

    def submission(self, tenant: str, callback_url: str | None, *, key: str | None = None) -> Submission:
        return Submission(
            tenant=tenant,
            options=self.options.to_domain(),
            pages=self.pages,
            priority=self.priority,
            callback_url=callback_url,
            password=self.password.get_secret_value() if self.password else None,
            idempotency_key=key,
        )


class CommonBody(JobBody):
    """What a job by URL and a job by upload have in common."""

    idempotency_key: Annotated[str, Field(min_length=1, max_length=LONGEST_KEY)] | None = None


class OneUrl(BaseModel):
    """`pdf_url` is the seed's name; `url` and `image_url` are the same thing."""

    pdf_url: _Url | None = None
    url: _Url | None = None
    image_url: _Url | None = None

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        if len(self._urls()) != 1:
            raise ValueError("give exactly one of pdf_url, url and image_url")
        return self

    @property
    def source(self) -> str:
        return self._urls()[0]

    def _urls(self) -> list[str]:
        return [url for url in (self.pdf_url, self.url, self.image_url) if url is not None]


class UrlBody(OneUrl, CommonBody):
    """A document by URL."""


class LineBody(OneUrl, JobBody):
    """A line of a list."""


class UploadBody(CommonBody):
    """The form's fields beside `file`; `options` is the JSON text of the same object."""


def read_json(text: bytes | str, *, what: str = "The body") -> Any:
    """Raises InvalidRequest."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("not JSON", public=f"{what} is not valid JSON.") from error


def checked(kind: type[Body], fields: Any) -> Body:
    """Raises InvalidRequest, which says where and what, without the value, which may be a secret."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidRequest("body", public=explained(problems)) from None


def explained(errors: Iterable[Any]) -> str:
    """One sentence from pydantic's errors."""
    parts = []
    for error in errors:
        where = ".".join(str(part) for part in error["loc"] if part not in {"body", "query", "path"})
        parts.append(f"{where}: {error['msg']}" if where else str(error["msg"]))
    return "; ".join(parts) + "."
