"""The threat model of threats.toml: assets, actors, and the threats of each entry point.

``make docs`` writes it into docs/security.md; ``tools.docs.threats`` compares it with the code.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple


class Threat(NamedTuple):
    """A threat, its mitigation, and the tests that fail without it (``file::function``)."""

    threat: str
    mitigation: str
    tests: list[str]


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A place where data enters.

    ``sources`` are patterns of the names that the code has for it; ``actors`` and ``assets`` are
    names of the model.
    """

    name: str
    sources: list[str]
    actors: list[str]
    assets: list[str]
    threats: list[Threat]


@dataclass(frozen=True, slots=True)
class ThreatModel:
    """Assets and actors by name, each with its description, and the entry points."""

    assets: Mapping[str, str]
    actors: Mapping[str, str]
    entry_points: list[EntryPoint]

    @classmethod
    def parse(cls, text: str) -> ThreatModel:
        """Parse the TOML of a threat model.

        :raises TypeError: when a member is missing or unknown.
        """
        document = tomllib.loads(text)
        entry_points = [_parse_entry_point(**entry) for entry in document.pop("entry_points")]
        return cls(**document, entry_points=entry_points)


def _parse_entry_point(*, threats: list[dict[str, Any]], **members: Any) -> EntryPoint:
    return EntryPoint(**members, threats=[Threat(**row) for row in threats])


THREAT_MODEL: Final = ThreatModel.parse(Path(__file__).with_name("threats.toml").read_text("utf-8"))
