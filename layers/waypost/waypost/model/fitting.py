"""Whether the values of a stored entity are of the kinds that its fields are declared with.

What is read back from a table may have been put there by hand or by a newer version. It is checked
once, where it is read, so that nothing behind it meets a text where it counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints


def fits(value: object, kind: Any) -> bool:  # noqa: ANN401 - whatever an annotation may be
    """Whether a value is of the kind that an annotation says. ``True`` is no number here."""
    if isinstance(kind, type):
        if is_dataclass(kind):
            return isinstance(value, kind) and misfit(value) is None
        return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if isinstance(kind, NewType):
        return fits(value, kind.__supertype__)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return any(value is each or (type(value) is type(each) and value == each) for each in inner)
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in inner)
    if origin is tuple:
        return isinstance(value, tuple) and _each_fits(value, inner)
    key, of = inner  # a mapping: entities have no other collections
    return isinstance(value, Mapping) and all(
        fits(name, key) and fits(held, of) for name, held in value.items()
    )


def misfit(entity: object) -> str | None:
    """The first field, as a path, that holds what it is not declared to; None where all fit."""
    for name, kind in kinds(type(entity)).items():
        value = getattr(entity, name)
        if not fits(value, kind):
            inside = misfit(value) if is_dataclass(value) else None
            return f"{name}.{inside}" if inside else name
    return None


def kinds(entity: Any) -> dict[str, Any]:  # noqa: ANN401 - mypy takes a class for one of its values
    """The fields of a dataclass with the kinds that they are declared with."""
    return _kinds(entity)


@cache
def _kinds(entity: Any) -> dict[str, Any]:  # noqa: ANN401
    hints = get_type_hints(entity)
    return {field.name: hints[field.name] for field in fields(entity)}


def _each_fits(values: tuple[object, ...], kinds_: tuple[Any, ...]) -> bool:
    if kinds_[-1] is Ellipsis:
        return all(fits(value, kinds_[0]) for value in values)
    return len(values) == len(kinds_) and all(map(fits, values, kinds_))
