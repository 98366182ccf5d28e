"""One light of a domain's state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Colour = Literal["green", "waiting", "red", "off"]
"""waiting: nothing to be done but wait; off: not checked, or not needed."""


@dataclass(frozen=True, slots=True)
class Light:
    colour: Colour
    expected: str
    found: str
    next_step: str = ""
    since: datetime | None = None
