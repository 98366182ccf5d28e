"""Plain values as DynamoDB's typed attributes, and back.

Entities use it to own their stored form without importing a client library. Values are texts,
whole numbers, booleans, bytes and lists of them; None is left out of an item altogether.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from waypost.errors import MalformedItem

Value: TypeAlias = "str | int | bool | bytes | Sequence[Value] | Mapping[str, Value]"
Attribute: TypeAlias = Mapping[str, object]
Item: TypeAlias = dict[str, Attribute]


def attribute(value: Value) -> Attribute:
    """One value with its type tag."""
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case bytes():
            return {"B": value}
        case Mapping():
            return {"M": {name: attribute(inner) for name, inner in value.items()}}
    return {"L": [attribute(inner) for inner in value]}


def item(values: Mapping[str, Value | None]) -> Item:
    """An item with its values tagged; those that are None are left out."""
    return {name: attribute(value) for name, value in values.items() if value is not None}


def plain(tagged: Attribute) -> Value:
    """The value of one attribute. Raises MalformedItem for a type that we never write."""
    kind, value = next(iter(tagged.items()), ("", None))
    match kind, value:
        case "S" | "BOOL", str() | bool():
            return value
        case "N", str():
            return int(value)
        case "B", bytes():
            return value
        case "B", str():  # as a stream's event carries it
            return b64decode(value)
        case "M", Mapping():
            return {name: plain(inner) for name, inner in value.items()}
        case "L", list():
            return [plain(inner) for inner in value]
    raise MalformedItem(f"an attribute of type {kind!r}")


def text(stored: Mapping[str, Attribute], name: str) -> str:
    """A text that the item must have. Raises MalformedItem."""
    value = _value(stored, name)
    if not isinstance(value, str):
        raise MalformedItem(f"{name!r} is missing or not a text")
    return value


def number(stored: Mapping[str, Attribute], name: str, default: int | None = None) -> int:
    """A whole number; without a default the item must have it. Raises MalformedItem."""
    value = _value(stored, name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedItem(f"{name!r} is missing or not a whole number")
    return value


def data(stored: Mapping[str, Attribute], name: str, default: bytes | None = b"") -> bytes:
    """Bytes; without a default (None) the item must have them. Raises MalformedItem."""
    value = _value(stored, name)
    if value is None and default is not None:
        return default
    if not isinstance(value, bytes):
        raise MalformedItem(f"{name!r} is missing or not binary")
    return value


def optional_text(stored: Mapping[str, Attribute], name: str) -> str | None:
    """A text, or None where the item has none. Raises MalformedItem."""
    return text(stored, name) if name in stored else None


def _value(stored: Mapping[str, Attribute], name: str) -> Value | None:
    tagged = stored.get(name)
    try:
        return plain(tagged) if tagged else None
    except (ValueError, AttributeError, RecursionError) as e:
        raise MalformedItem(f"{name!r} cannot be read") from e
