"""Plain values as DynamoDB's typed attributes, and back.

Entities use it to own their stored form without importing a client library. Values are texts,
whole numbers, booleans, bytes and lists of them; None is left out of an item altogether.

Whether the values of a stored entity are of the kinds that its fields are declared with.

What is read back from a table may have been put there by hand or by a newer version. It is checked
once, where it is read, so that nothing behind it meets a text where it counts.

How times are written in keys and items, and read back: RFC 3339 in UTC, or milliseconds.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
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
            return {"M": {name: to_attribute(inner) for name, inner in value.items()}}
    return {"L": [to_attribute(inner) for inner in value]}


def build_item(values: Mapping[str, Value | None]) -> Item:
    """An item with its values tagged; those that are None are left out."""
    return {name: to_attribute(value) for name, value in values.items() if value is not None}


def from_attribute(tagged: Attribute) -> Value:
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
            return {name: from_attribute(inner) for name, inner in value.items()}
        case "L", list():
            return [from_attribute(inner) for inner in value]
    raise CorruptItem(f"an attribute of type {kind!r}")


def get_text(stored: Mapping[str, Attribute], name: str) -> str:
    """A text that the item must have. Raises MalformedItem."""
    value = _get_value(stored, name)
    if not isinstance(value, str):
        raise CorruptItem(f"{name!r} is missing or not a text")
    return value


def get_number(stored: Mapping[str, Attribute], name: str, default: int | None = None) -> int:
    """A whole number; without a default the item must have it. Raises MalformedItem."""
    value = _get_value(stored, name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise CorruptItem(f"{name!r} is missing or not a whole number")
    return value


def get_bytes(stored: Mapping[str, Attribute], name: str, default: bytes | None = b"") -> bytes:
    """Bytes; without a default (None) the item must have them. Raises MalformedItem."""
    value = _get_value(stored, name)
    if value is None and default is not None:
        return default
    if not isinstance(value, bytes):
        raise CorruptItem(f"{name!r} is missing or not binary")
    return value


def get_optional_text(stored: Mapping[str, Attribute], name: str) -> str | None:
    """A text, or None where the item has none. Raises MalformedItem."""
    return get_text(stored, name) if name in stored else None


def _get_value(stored: Mapping[str, Attribute], name: str) -> Value | None:
    tagged = stored.get(name)
    try:
        return from_attribute(tagged) if tagged else None
    except (ValueError, AttributeError, RecursionError) as e:
        raise CorruptItem(f"{name!r} cannot be read") from e


_Validator: TypeAlias = Callable[[Any], bool]


def first_invalid_field(entity: object) -> str | None:
    """The first field, as a path, that holds what it is not declared to; None where all fit."""
    for name, fits in field_validators(type(entity)).items():
        value = getattr(entity, name)
        if not fits(value):
            inside = first_invalid_field(value) if is_dataclass(value) else None
            return f"{name}.{inside}" if inside else name
    return None


def field_validators(entity: Any) -> Mapping[str, _Validator]:  # noqa: ANN401 - mypy takes a class for its values
    """By the fields of a dataclass whether a value is of the kind that one is declared with."""
    return _build_field_validators(entity)


@cache
def _build_field_validators(entity: Any) -> Mapping[str, _Validator]:  # noqa: ANN401
    hints = get_type_hints(entity)
    return {field.name: build_validator(hints[field.name]) for field in fields(entity)}


def build_validator(annotation: Any) -> _Validator:  # noqa: ANN401 - whatever an annotation may be
    """Whether a value is of the kind that an annotation says. ``True`` is no number here."""
    if isinstance(annotation, type):
        if is_dataclass(annotation):
            return lambda value: (
                isinstance(value, annotation) and first_invalid_field(value) is None
            )
        if annotation is int:
            return lambda value: isinstance(value, int) and not isinstance(value, bool)
        return lambda value: isinstance(value, annotation)
    if isinstance(annotation, NewType):
        return build_validator(annotation.__supertype__)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return lambda value: any(type(value) is type(each) and value == each for each in inner)
    of = [build_validator(each) for each in inner if each is not Ellipsis]
    if origin in (Union, UnionType):
        return lambda value: any(fits(value) for fits in of)
    if origin is tuple:
        return _sequence_validator(of[0]) if inner[-1] is Ellipsis else _tuple_validator(of)
    return _mapping_validator(*of)  # a mapping: entities have no other collections


def _sequence_validator(validator: _Validator) -> _Validator:
    return lambda values: isinstance(values, tuple) and all(map(validator, values))


def _tuple_validator(validators: list[_Validator]) -> _Validator:
    return lambda values: (
        isinstance(values, tuple)
        and len(values) == len(validators)
        and all(fits(value) for fits, value in zip(validators, values, strict=True))
    )


def _mapping_validator(key_validator: _Validator, value_validator: _Validator) -> _Validator:
    return lambda values: (
        isinstance(values, Mapping)
        and all(key_validator(name) and value_validator(value) for name, value in values.items())
    )


MAX_MILLISECONDS: Final = 253_402_300_799_999
"""The last millisecond that a time can name: of the year 9999."""


def format_rfc3339(time: datetime) -> str:
    """A time in UTC with milliseconds, as it sorts in a key."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Read what ``rfc3339`` wrote. Raises MalformedItem."""
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise CorruptItem("'time' has no zone")
        return time.astimezone(UTC)
    except (ValueError, OverflowError) as e:
        raise CorruptItem("'time' is not a time of RFC 3339") from e


def from_milliseconds(epoch: int) -> datetime:
    """Milliseconds since 1970 as a time; exact, which a float of seconds is not."""
    return datetime.fromtimestamp(epoch // 1000, UTC) + timedelta(milliseconds=epoch % 1000)


def to_milliseconds(time: datetime) -> int:
    """A time as milliseconds since 1970."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
