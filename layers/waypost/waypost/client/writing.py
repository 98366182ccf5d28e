"""A value as JSON, or the field that keeps it from being written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from waypost.errors import InvalidRequest

_STEPS: Final = 20
"""Of a path that is named; a value that holds itself has no end."""
_LONGEST_NAME: Final = 100

_FAULTS: Final = (TypeError, ValueError, RecursionError)


def written(value: object, name: str) -> bytes:
    """A value as JSON. Raises InvalidRequest, with this name for it, where it cannot be: NaN and
    infinities are no JSON either, and Lambda would refuse all that stands beside them.
    """
    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which the function refuses by its field
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except _FAULTS as error:
        raise InvalidRequest.of(name, "cannot be written as JSON") from error


def at_fault(value: object, name: str) -> str:
    """The path of the innermost value that cannot be written, in a value of this name."""
    for _ in range(_STEPS):
        for step, child in _children(value):
            if not _can_be_written(child):
                value, name = child, name + step
                break
        else:
            break
    return name


def _children(value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [(f".{str(key)[:_LONGEST_NAME]}", child) for key, child in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{index}]", child) for index, child in enumerate(value)]
    return ()


def _can_be_written(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except _FAULTS:
        return False
    return True
