"""Which object lies in which bucket: the first segment of its name says so, and its name in the bucket is the same."""

from collections.abc import Mapping

from shared.ports.objects import check_name, is_name


class Buckets:
    """`bucket` keeps what has none of its own; `others` maps a first segment (inbox, uploads, outbox) to its bucket."""

    def __init__(self, bucket: str, others: Mapping[str, str | None]) -> None:
        self.bucket = bucket
        self._others = {segment: name for segment, name in others.items() if name is not None}

    def of(self, name: str) -> str:
        """Raises ValueError where this is no object's name."""
        return self._others.get(check_name(name).partition("/")[0], self.bucket)

    def of_prefix(self, prefix: str) -> str:
        """Raises ValueError where this is no prefix, which ends with `/`."""
        if not prefix.endswith("/"):
            raise ValueError(f"{prefix!r} does not end with /")
        return self.of(prefix.removesuffix("/"))

    def uri(self, name: str) -> str:
        return f"gs://{self.of(name)}/{name}"

    def named(self, uri: str) -> str | None:
        """Return the name behind a URI. None for another's bucket, and for an object in the wrong one of ours."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        return name if uri.startswith("gs://") and is_name(name) and self.of(name) == bucket else None
