"""How much fits into one answer of a function, which is 6 MB at most."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, TypeVar

from pydantic import BaseModel

MOST_BYTES: Final = 4_000_000
"""Of what is listed in an answer; the rest of it comes on top."""

Listed = TypeVar("Listed", bound=BaseModel)


def bytes_of(part: BaseModel) -> int:
    """What it takes in an answer: as JSON in the JSON in which a function answers, the inner one in
    ASCII.
    """
    return len(json.dumps(json.dumps(part.model_dump())))


def with_room(listed: Sequence[Listed], limit: int) -> list[Listed]:
    """As many from the beginning as are asked for, and as an answer has room for."""
    size = 0
    for at, each in enumerate(listed[:limit]):
        size += bytes_of(each)
        if size > MOST_BYTES:
            return list(listed[:at])
    return list(listed[:limit])
