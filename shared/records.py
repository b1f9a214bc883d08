"""Stored things as JSON and back: one codec for every adapter, so that both families keep the same records."""

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from shared.domain.errors import PagemillError

T = TypeVar("T")


class UnreadableRecord(PagemillError):
    """A stored record that this version cannot read: damaged, or written by a later version."""

    code = "unreadable_record"


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """Building one takes milliseconds, so each is built once; two threads that race build the same."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_json(record: Any) -> bytes:
    return _adapter(type(record)).dump_json(record)


def to_plain(record: Any) -> Any:
    """Return what `json.loads(to_json(record))` would."""
    return _adapter(type(record)).dump_python(record, mode="json")


def from_json(kind: type[T], data: bytes | str) -> T:
    """Raises UnreadableRecord."""
    try:
        record: T = _adapter(kind).validate_json(data)
    except ValidationError as error:
        raise UnreadableRecord(f"{kind.__name__}: {error.error_count()} problems") from None
    _check_schema(kind, record)
    return record


def _check_schema(kind: type[T], record: T) -> None:
    stored, known = getattr(record, "schema", None), getattr(kind, "__dataclass_fields__", {}).get("schema")
    if stored is not None and known is not None and stored > known.default:
        raise UnreadableRecord(f"{kind.__name__}: schema {stored}, this version knows {known.default}")
