"""Whether the values of a stored entity are of the kinds that its fields are declared with.

What is read back from a table may have been put there by hand or by a newer version. It is checked
once, where it is read, so that nothing behind it meets a text where it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, NewType, TypeAlias, Union, get_args, get_origin, get_type_hints

_Check: TypeAlias = Callable[[Any], bool]


def misfit(entity: object) -> str | None:
    """The first field, as a path, that holds what it is not declared to; None where all fit."""
    for name, fits in checks(type(entity)).items():
        value = getattr(entity, name)
        if not fits(value):
            inside = misfit(value) if is_dataclass(value) else None
            return f"{name}.{inside}" if inside else name
    return None


def checks(entity: Any) -> Mapping[str, _Check]:  # noqa: ANN401 - mypy takes a class for its values
    """By the fields of a dataclass whether a value is of the kind that one is declared with."""
    return _checks(entity)


@cache
def _checks(entity: Any) -> Mapping[str, _Check]:  # noqa: ANN401
    hints = get_type_hints(entity)
    return {field.name: check_of(hints[field.name]) for field in fields(entity)}


def check_of(kind: Any) -> _Check:  # noqa: ANN401 - whatever an annotation may be
    """Whether a value is of the kind that an annotation says. ``True`` is no number here."""
    if isinstance(kind, type):
        if is_dataclass(kind):
            return lambda value: isinstance(value, kind) and misfit(value) is None
        if kind is int:
            return lambda value: isinstance(value, int) and not isinstance(value, bool)
        return lambda value: isinstance(value, kind)
    if isinstance(kind, NewType):
        return check_of(kind.__supertype__)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return lambda value: any(type(value) is type(each) and value == each for each in inner)
    of = [check_of(each) for each in inner if each is not Ellipsis]
    if origin in (Union, UnionType):
        return lambda value: any(fits(value) for fits in of)
    if origin is tuple:
        return _of_many(of[0]) if inner[-1] is Ellipsis else _of_some(of)
    return _of_names(*of)  # a mapping: entities have no other collections


def _of_many(fits: _Check) -> _Check:
    return lambda values: isinstance(values, tuple) and all(map(fits, values))


def _of_some(of: list[_Check]) -> _Check:
    return lambda values: (
        isinstance(values, tuple)
        and len(values) == len(of)
        and all(fits(value) for fits, value in zip(of, values, strict=True))
    )


def _of_names(key: _Check, of: _Check) -> _Check:
    return lambda values: (
        isinstance(values, Mapping)
        and all(key(name) and of(value) for name, value in values.items())
    )
