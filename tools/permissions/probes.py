"""The table of calls that a role may or may not make."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

PROBES_FILE: Final = Path(__file__).with_name("probes.toml")


@dataclass(frozen=True, slots=True)
class Probe:
    """A call of a role. ``resource`` may contain ``${ClicksTable.Arn}`` and the like."""

    role: str
    action: str
    resource: str
    is_allowed: bool
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        keys = f" with {dict(self.context)}" if self.context else ""
        return f"{self.role}: {self.action} on {self.resource}{keys}"


def load_probes(file: Path = PROBES_FILE) -> list[Probe]:
    """Load the table."""
    roles = tomllib.loads(file.read_text("utf-8"))
    return [probe for role, rows in roles.items() for probe in _load_role(role, rows)]


def _load_role(role: str, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Probe]:
    for expected in ("allowed", "denied"):
        for row in rows[expected]:
            context = dict(row.get("context", {}))
            if "keys" in row:
                context["dynamodb:LeadingKeys"] = row["keys"]
            for action in row["actions"]:
                yield Probe(role, action, row["resource"], expected == "allowed", context)


def list_gaps(documents: Mapping[str, Mapping[str, Any]], probes: Sequence[Probe]) -> Iterator[str]:
    """Yield a line for each gap of the table.

    Each role has an allowed and a denied probe, and each action of a policy an allowed one. An
    action with a condition also has a denied one on the same resource, with another context.
    """
    for role in sorted({probe.role for probe in probes} - set(documents)):
        yield f"{role}: no role of the template"
    for role, document in documents.items():
        own = [probe for probe in probes if probe.role == role]
        if all(probe.is_allowed for probe in own):
            yield f"{role}: no denied probe"
        for statement in document["Statement"]:
            for action in list_actions(statement):
                of_action = [probe for probe in own if probe.action == action]
                if not any(probe.is_allowed for probe in of_action):
                    yield f"{role}: {action}: no allowed probe"
                allowed = {probe.resource for probe in of_action if probe.is_allowed}
                denied = {probe.resource for probe in of_action if not probe.is_allowed}
                if "Condition" in statement and not allowed & denied:
                    yield f"{role}: {action}: no denied probe with another context"


def list_actions(statement: Mapping[str, Any]) -> list[str]:
    """Return the actions of a statement, which may have one or a list."""
    actions = statement["Action"]
    return [actions] if isinstance(actions, str) else list(actions)
