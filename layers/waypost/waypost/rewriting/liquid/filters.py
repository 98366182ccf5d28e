"""Filters that can multiply their input, bounded before they do: memory is spent by then."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from liquid.exceptions import OutputStreamLimitError

Filter = Callable[..., Any]  # python-liquid's own type of a filter
Size = Callable[..., int]


def bounded(filters: dict[str, Filter], limit: int) -> None:
    """Make filters refuse what would give more than ``limit`` characters."""
    for name, size in _SIZES.items():
        filters[name] = _refusing(filters[name], size, limit)


def _refusing(call: Filter, size: Size, limit: int) -> Filter:
    @wraps(call)
    def checked(value: object, *arguments: object, **options: object) -> object:
        if size(value, *arguments) > limit:
            raise OutputStreamLimitError("filter limit", token=None)
        return call(value, *arguments, **options)

    return checked


def _length(value: object) -> int:
    if isinstance(value, (str, list, tuple)):
        return len(value)
    return 32


def _replaced(value: object, old: object = "", new: object = "", *_: object) -> int:
    text = value if isinstance(value, str) else ""
    found = text.count(old) if isinstance(old, str) else 0
    return len(text) + found * _length(new)


def _together(value: object, other: object = "", *_: object) -> int:
    return _length(value) + _length(other)


def _joined(value: object, separator: object = " ", *_: object) -> int:
    if not isinstance(value, (list, tuple)):
        return _length(value)
    return sum(map(_length, value)) + len(value) * _length(separator)


_SIZES: dict[str, Size] = {
    "replace": _replaced,
    "append": _together,
    "prepend": _together,
    "concat": _together,
    "join": _joined,
}
