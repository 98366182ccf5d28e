"""Filters of messages: what a recipient's data makes of them stays an error of Liquid's.

Those that can multiply their input are bounded before they do: memory is spent by then. Whole
numbers are bounded, too: no longer than Python would write them, they multiply in no time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from liquid.exceptions import FilterArgumentError, LiquidError, OutputStreamLimitError

Filter = Callable[..., Any]  # python-liquid's own type of a filter
Size = Callable[..., int]

LONGEST_NUMBER: Final = 14_000
"""Bits of a whole number, some 4,200 digits: Python writes 4,300 at most."""


def bounded(filters: dict[str, Filter], limit: int) -> None:
    """Make filters refuse what would give more than ``limit`` characters, and what they cannot do
    with a value: python-liquid leaves much of that to Python's own errors.
    """
    for name, call in filters.items():
        size = _SIZES.get(name)
        filters[name] = _telling(call if size is None else _refusing(call, size, limit))


def _telling(call: Filter) -> Filter:
    @wraps(call)
    def told(*arguments: object, **options: object) -> object:
        try:
            value = call(*arguments, **options)
        except (LiquidError, TypeError):  # python-liquid says itself where those happened
            raise
        except (ValueError, LookupError, ArithmeticError, AttributeError) as error:
            raise FilterArgumentError("not for this value", token=None) from error
        if isinstance(value, int) and value.bit_length() > LONGEST_NUMBER:
            raise FilterArgumentError("too large a number", token=None)
        return value

    return told


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
