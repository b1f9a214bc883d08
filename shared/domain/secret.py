"""A text that must not be seen: keys, tokens, passwords."""

import hmac


class Secret:
    """Shows itself as `***` wherever it is printed, formatted, logged or dumped; only `reveal` gives it away.

    Not a dataclass on purpose: `dataclasses.asdict` of the settings around it must not take it apart.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)
