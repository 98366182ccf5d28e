"""Convert values to DynamoDB's typed attributes and back, and check the types of stored values.

Entities serialize themselves with it, without a client library. Values are texts, whole numbers,
booleans, bytes, and lists or mappings of them. None is left out of an item.

An operator or a newer version may have written a stored item. Its types are checked once, when it
is read, so that no code behind it meets a text in place of a number.

Times in keys and items are RFC 3339 in UTC, or milliseconds since 1970.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from types import UnionType
from typing import (
    Any,
    Final,
    Literal,
    NewType,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from waypost.errors import CorruptItem

Value: TypeAlias = "str | int | bool | bytes | Sequence[Value] | Mapping[str, Value]"
Attribute: TypeAlias = Mapping[str, object]
Item: TypeAlias = dict[str, Attribute]


def to_attribute(value: Value) -> Attribute:
    """Convert a value to an attribute."""
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
            return {"M": {name: to_attribute(inner) for name, inner in value.items()}}
    return {"L": [to_attribute(inner) for inner in value]}


def build_item(values: Mapping[str, Value | None]) -> Item:
    """Convert values to an item, and omit None."""
    return {name: to_attribute(value) for name, value in values.items() if value is not None}


def from_attribute(attribute: Attribute) -> Value:
    """Convert an attribute to its value. Raises CorruptItem for a type that is never written."""
    attribute_type, value = next(iter(attribute.items()), ("", None))
    match attribute_type, value:
        case "S" | "BOOL", str() | bool():
            return value
        case "N", str():
            return int(value)
        case "B", bytes():
            return value
        case "B", str():  # in stream events
            return b64decode(value)
        case "M", Mapping():
            return {name: from_attribute(inner) for name, inner in value.items()}
        case "L", list():
            return [from_attribute(inner) for inner in value]
    raise CorruptItem(f"unknown attribute type ({attribute_type!r})")


def get_text(item: Mapping[str, Attribute], name: str) -> str:
    """Return a required text. Raises CorruptItem."""
    value = _get_value(item, name)
    if not isinstance(value, str):
        raise CorruptItem(f"{name!r}: missing or not a text")
    return value


def get_number(item: Mapping[str, Attribute], name: str, default: int | None = None) -> int:
    """Return a whole number, required without a default. Raises CorruptItem."""
    value = _get_value(item, name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise CorruptItem(f"{name!r}: missing or not a whole number")
    return value


def get_bytes(item: Mapping[str, Attribute], name: str, default: bytes | None = b"") -> bytes:
    """Return bytes; without a default (None) they are required. Raises CorruptItem."""
    value = _get_value(item, name)
    if value is None and default is not None:
        return default
    if not isinstance(value, bytes):
        raise CorruptItem(f"{name!r}: missing or not binary")
    return value


def get_optional_text(item: Mapping[str, Attribute], name: str) -> str | None:
    """Return a text, None if it is missing. Raises CorruptItem."""
    return get_text(item, name) if name in item else None


def _get_value(item: Mapping[str, Attribute], name: str) -> Value | None:
    attribute = item.get(name)
    try:
        return from_attribute(attribute) if attribute else None
    except (ValueError, AttributeError, RecursionError) as e:
        raise CorruptItem(f"{name!r}: unreadable attribute") from e


def first_invalid_field(entity: object) -> str | None:
    """Return the path of the first field whose value does not match its type, None if all do."""
    for name, annotation in field_types(type(entity)).items():
        value = getattr(entity, name)
        if not matches_type(value, annotation):
            inner = first_invalid_field(value) if is_dataclass(value) else None
            return f"{name}.{inner}" if inner else name
    return None


def field_types(entity_class: Any) -> Mapping[str, Any]:  # noqa: ANN401 - see below
    """Return a dataclass's annotations by field."""
    return _load_field_types(entity_class)  # apart: mypy takes a class for not hashable


@cache
def _load_field_types(entity_class: Any) -> Mapping[str, Any]:  # noqa: ANN401
    hints = get_type_hints(entity_class)
    return {field.name: hints[field.name] for field in fields(entity_class)}


def matches_type(value: object, annotation: Any) -> bool:  # noqa: ANN401 - any annotation
    """Return whether a value matches an annotation of an entity. A boolean is not a number."""
    if isinstance(annotation, NewType):
        return matches_type(value, annotation.__supertype__)
    arguments = get_args(annotation)
    match get_origin(annotation):
        case None if is_dataclass(annotation):
            return isinstance(value, annotation) and first_invalid_field(value) is None  # type: ignore[arg-type]
        case None:
            return isinstance(value, annotation) and (
                annotation is not int or not isinstance(value, bool)
            )
        case origin if origin is Literal:
            return any(type(value) is type(each) and value == each for each in arguments)
        case origin if origin in (Union, UnionType):
            return any(matches_type(value, each) for each in arguments)
        case origin if origin is tuple:
            if not isinstance(value, tuple):
                return False
            types = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
            return len(value) == len(types) and all(map(matches_type, value, types))
    key_type, value_type = arguments  # a mapping: entities have no other collections
    return isinstance(value, Mapping) and all(
        matches_type(key, key_type) and matches_type(each, value_type)
        for key, each in value.items()
    )


MAX_MILLISECONDS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, datetime's last."""


def format_rfc3339(time: datetime) -> str:
    """Format a time in UTC with milliseconds, so that keys sort by time."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Read the result of ``format_rfc3339``. Raises CorruptItem."""
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise CorruptItem(f"'time': no time zone ({text!r})")
        return time.astimezone(UTC)
    except (ValueError, OverflowError) as e:
        raise CorruptItem(f"'time': not RFC 3339 ({text[:40]!r})") from e


def from_milliseconds(epoch: int) -> datetime:
    """Convert milliseconds since 1970 to a time, exactly: a float of seconds would round."""
    return datetime.fromtimestamp(epoch // 1000, UTC) + timedelta(milliseconds=epoch % 1000)


def to_milliseconds(time: datetime) -> int:
    """Convert a time to milliseconds since 1970."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
