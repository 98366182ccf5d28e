"""A part of the output: the messages of some recipients, as lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from waypost.errors import TooLarge
from waypost.rewrite.renderer import CHUNK, Mailing
from waypost.rewrite.schemas import Recipient
from waypost.rewrite_files.input import BadLine, Line, recipients
from waypost.sending.files.reporting import MOST_FAILURES
from waypost.sending.outcomes import Delivery, Failure

PART: Final = 8 * 1024 * 1024
"""Bytes from which an early part is written; S3 takes 5 MiB at least."""
MOST_PARTS: Final = 10_000
"""What S3 makes one object of."""


def room(number: int) -> int:
    """Bytes from which a part is written: later ones are larger, for 400 GB in all.

    :raises TooLarge: when S3 takes no more parts.
    """
    if number > MOST_PARTS:
        raise TooLarge("output", PART * MOST_PARTS, PART * MOST_PARTS)
    return PART * (1 + number // 1000)


@dataclass(slots=True)
class Part:
    """Some lines of the output. ``offset``: where the input goes on after them; ``lines``: how many
    of the input they are; ``last``: whether it ended with them.
    """

    offset: int
    data: bytearray = field(default_factory=bytearray)
    lines: int = 0
    delivered: int = 0
    failed: int = 0
    failures: list[Failure | BadLine] = field(default_factory=list)
    last: bool = False

    def add(self, outcome: Delivery | Failure | BadLine) -> None:
        text = json.dumps(outcome, ensure_ascii=False, separators=(",", ":"))
        self.data += text.encode() + b"\n"
        if "content" in outcome:
            self.delivered += 1
            return
        self.failed += 1
        if len(self.failures) < MOST_FAILURES:
            self.failures.append(outcome)


def part(mailing: Mailing, lines: Iterator[Line], offset: int, first: int, room: int) -> Part:
    """As many lines as fill a part, or all that are left. ``first``: the number of the first.

    :raises StoreUnavailable: when links cannot be defined or stored.
    """
    made = Part(offset)
    while len(made.data) < room:
        chunk = list(islice(lines, CHUNK))
        if not chunk:
            made.last = True
            break
        for outcome in _outcomes(mailing, chunk, first + made.lines):
            made.add(outcome)
        made.lines += len(chunk)
        made.offset = chunk[-1].end
    return made


def _outcomes(
    mailing: Mailing, lines: Sequence[Line], first: int
) -> Iterator[Delivery | Failure | BadLine]:
    read = list(recipients(lines, first))
    stamped = mailing.stamp(one for one in read if isinstance(one, Recipient))
    if mailing.sealer is None:
        # A rehearsal gives failures alone.
        yield from (one for one in read if not isinstance(one, Recipient))
        yield from stamped
        return
    for one in read:
        yield next(stamped) if isinstance(one, Recipient) else one
