"""The trace context that travels in a message's attributes."""

from collections.abc import Mapping

_NAMES = ("traceparent", "tracestate")


def trace_of(attributes: Mapping[str, object]) -> dict[str, str]:
    """Return the W3C trace context among the attributes; empty where there is none."""
    found = {name: attributes.get(name) for name in _NAMES}
    return {name: value for name, value in found.items() if isinstance(value, str)}
