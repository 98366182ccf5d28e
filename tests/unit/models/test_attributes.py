from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NewType

import pytest

from waypost.models.attributes import first_invalid_field, matches_type

Code = NewType("Code", str)


@dataclass(frozen=True)
class Part:
    number: int = 1
    word: Literal["yes", "no"] = "yes"


@dataclass(frozen=True)
class Whole:
    code: Code = Code("a")
    on: bool = True
    part: Part = Part()
    perhaps: Part | None = None
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    names: Mapping[str, int] = field(default_factory=dict)
    pairs: tuple[tuple[str, int], ...] = ()


def test_valid_entity_has_no_invalid_field() -> None:
    assert first_invalid_field(Whole()) is None
    assert (
        first_invalid_field(Whole(perhaps=Part(2), names={"a": 1}, pairs=(("a", 1), ("b", 2))))
        is None
    )


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"code": 7}, "code"),
        ({"on": 1}, "on"),
        ({"on": "true"}, "on"),
        ({"part": {"number": 1}}, "part"),
        ({"part": Part(number=True)}, "part.number"),
        ({"part": Part(word="perhaps")}, "part.word"),  # type: ignore[arg-type]
        ({"perhaps": Part(number="1")}, "perhaps.number"),  # type: ignore[arg-type]
        ({"at": "2026-01-01"}, "at"),
        ({"names": [("a", 1)]}, "names"),
        ({"names": {"a": "1"}}, "names"),
        ({"names": {1: 1}}, "names"),
        ({"pairs": [("a", 1)]}, "pairs"),
        ({"pairs": (("a", 1), ("b",))}, "pairs"),
    ],
)
def test_first_invalid_field_is_named(values: dict[str, Any], path: str) -> None:
    assert first_invalid_field(Whole(**values)) == path


@pytest.mark.parametrize("value", [[], {}, 1, True, None, ["yes"]])
def test_unhashable_value_matches_no_literal(value: object) -> None:
    assert not matches_type(value, Literal["yes", "no"])
