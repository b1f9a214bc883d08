"""Every failure that pagemill names: its stable code, whether trying again may help, and what a caller is told.

    PagemillError
    ├── RequestError            answered at once, as RFC 9457 problem details
    │   ├── InvalidRequest      invalid_request        422
    │   ├── UrlNotAllowed       url_not_allowed        422
    │   ├── Unauthorized        unauthorized           401
    │   ├── CrossOrigin         cross_origin           403
    │   ├── LinkNotValid        link_not_valid         403
    │   ├── UnknownJob          unknown_job            404
    │   ├── UnknownPage         unknown_page           404
    │   ├── UnknownBatch        unknown_batch          404
    │   ├── IdempotencyConflict idempotency_conflict   422
    │   ├── IllegalMove         illegal_move           409
    │   ├── AlreadyUploaded     already_uploaded       412
    │   ├── TooLarge            too_large              413
    │   ├── RateLimited         rate_limited           429
    │   ├── BudgetExhausted     budget_exhausted       429
    │   └── Unavailable         unavailable            503, retryable
    ├── DocumentError           ends its job
    │   ├── FetchFailed         fetch_failed           retryable where the server may recover
    │   ├── NotADocument        not_a_document
    │   ├── Encrypted           encrypted
    │   ├── Corrupt             corrupt
    │   ├── Empty               empty
    │   ├── TooManyPages        too_many_pages
    │   ├── DeadlineExceeded    deadline_exceeded
    │   ├── Cancelled           cancelled
    │   └── GaveUp              gave_up
    ├── PageError               ends its page, never its document
    │   ├── PageTooLarge        page_too_large
    │   ├── RenderTimeout       render_timeout
    │   ├── RenderCrashed       render_crashed
    │   ├── PageRefused         engine_refused
    │   └── PageKilledWorker    page_killed_worker
    └── EngineUnavailable       engine_unavailable     retryable: the page is handed back, it is not at fault
        └── EngineDied          engine_unavailable     as above, and the page may be what killed it: its try stays

`str(error)` is for our logs. `error.public` is the only text that leaves the building.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a job or a page ended badly, as it is stored and shown: a code of this module and its public sentence."""

    code: str
    message: str


class PagemillError(Exception):
    code: ClassVar[str]
    public: str = "Something went wrong."
    retryable: bool = False

    def __init__(self, detail: str = "", *, public: str | None = None, retryable: bool | None = None) -> None:
        super().__init__(detail or public or self.public)
        if public is not None:
            self.public = public
        if retryable is not None:
            self.retryable = retryable

    @property
    def failure(self) -> Failure:
        return Failure(code=self.code, message=self.public)


class RequestError(PagemillError):
    """`retry_after` is in seconds, where it is known when the same request may be answered otherwise."""

    http_status: ClassVar[int]
    retry_after: int | None = None


class InvalidRequest(RequestError):
    code = "invalid_request"
    http_status = 422
    public = "The request is not valid."


class UrlNotAllowed(RequestError):
    code = "url_not_allowed"
    http_status = 422
    public = "The URL may not be used: only public http and https addresses are fetched or called."


class Unauthorized(RequestError):
    code = "unauthorized"
    http_status = 401
    public = "A valid API key is required."


class CrossOrigin(RequestError):
    code = "cross_origin"
    http_status = 403
    public = "Another site's page may not call this service."


class LinkNotValid(RequestError):
    code = "link_not_valid"
    http_status = 403
    public = "The upload link is not valid, or no longer."


class UnknownJob(RequestError):
    code = "unknown_job"
    http_status = 404
    public = "There is no such job."


class UnknownPage(RequestError):
    code = "unknown_page"
    http_status = 404
    public = "The job has no such page or image."


class UnknownBatch(RequestError):
    code = "unknown_batch"
    http_status = 404
    public = "There is no such batch."


class IdempotencyConflict(RequestError):
    code = "idempotency_conflict"
    http_status = 422
    public = "This idempotency key was used before with another request."


class IllegalMove(RequestError):
    code = "illegal_move"
    http_status = 409
    public = "The job is in a state that does not allow this."


class AlreadyUploaded(RequestError):
    """The status is the one that Cloud Storage answers with."""

    code = "already_uploaded"
    http_status = 412
    public = "Something was uploaded with this link before; it is written once."


class TooLarge(RequestError):
    code = "too_large"
    http_status = 413
    public = "The document is larger than this service accepts."


class RateLimited(RequestError):
    code = "rate_limited"
    http_status = 429
    public = "Too many requests."


class BudgetExhausted(RequestError):
    """Not 402: nobody can pay here, and a client that knows 429 waits until `retry_after`."""

    code = "budget_exhausted"
    http_status = 429
    public = "Today's budget is used up: new jobs are taken again after midnight UTC, and those accepted are finished."


class Unavailable(RequestError):
    code = "unavailable"
    http_status = 503
    public = "The service cannot take this now; try again."
    retryable = True


class DocumentError(PagemillError):
    pass


class FetchFailed(DocumentError):
    code = "fetch_failed"
    public = "The document could not be fetched."


class NotADocument(DocumentError):
    code = "not_a_document"
    public = "The content is not a PDF, PNG, JPEG, TIFF or WebP."


class Encrypted(DocumentError):
    code = "encrypted"
    public = "The document is encrypted and the password is missing or wrong."


class Corrupt(DocumentError):
    code = "corrupt"
    public = "The document is damaged and cannot be opened."


class Empty(DocumentError):
    code = "empty"
    public = "The document has no pages."


class TooManyPages(DocumentError):
    code = "too_many_pages"
    public = "The document has more pages than this service accepts."


class DeadlineExceeded(DocumentError):
    code = "deadline_exceeded"
    public = "The job did not end by its deadline."


class Cancelled(DocumentError):
    code = "cancelled"
    public = "The job was cancelled."


class GaveUp(DocumentError):
    code = "gave_up"
    public = "The document was tried several times and never came to an end."


class PageError(PagemillError):
    pass


class PageTooLarge(PageError):
    code = "page_too_large"
    public = "The page is larger than this service renders."


class RenderTimeout(PageError):
    code = "render_timeout"
    public = "The page took too long to render."


class RenderCrashed(PageError):
    code = "render_crashed"
    public = "The page could not be rendered."


class PageRefused(PageError):
    code = "engine_refused"
    public = "The engine could not read the page."


class PageKilledWorker(PageError):
    code = "page_killed_worker"
    public = "Reading the page ended the worker more than once."


class EngineUnavailable(PagemillError):
    code = "engine_unavailable"
    public = "The engine cannot be reached."
    retryable = True


class EngineDied(EngineUnavailable):
    """The engine's server went away while it was reading this page, and was there when the page was begun."""

    public = "The engine went away while it read the page."
