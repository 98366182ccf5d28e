"""What policies allow, and what roles made of it: used permissions, and denied ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from local.errors import TemplateError
from local.needs import Need

# At moto's address, where no function looks: `moto_permissions` answers.
ROLES: Final = "/_local/roles"
PERMISSIONS: Final = "/_local/permissions"

_LEADING_KEYS: Final = {
    "ForAllValues:StringEquals": {"dynamodb:LeadingKeys"},
    "ForAllValues:StringLike": {"dynamodb:LeadingKeys"},
}
_KNOWN: Final = frozenset({"Sid", "Effect", "Action", "Resource", "Condition"})


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a policy. ``keys`` are patterns of partition keys; none, and any will do."""

    sid: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    keys: tuple[str, ...]

    def concerns(self, need: Need) -> bool:
        return (
            _any_matches(self.actions, need.action, re.IGNORECASE)
            and _any_matches(self.resources, need.resource)
            and (not self.keys or all(_any_matches(self.keys, key) for key in need.leading_keys))
        )


def allowing(statements: Sequence[Statement], need: Need) -> list[Statement]:
    """The statements that allow it; none where it is denied."""
    concerned = [statement for statement in statements if statement.concerns(need)]
    return concerned if all(statement.allows for statement in concerned) else []


@cache
def parsed(document: str) -> tuple[Statement, ...]:
    """The statements of a policy. Raises TemplateError for what is not emulated."""
    return tuple(map(_statement, _listed(json.loads(document)["Statement"])))


def _statement(raw: Mapping[str, Any]) -> Statement:
    sid = str(raw.get("Sid", ""))
    if unknown := set(raw) - _KNOWN:
        raise TemplateError(f"Statement {sid}", f"{', '.join(unknown)} is not emulated")
    keys: list[str] = []
    for operator, condition in raw.get("Condition", {}).items():
        if set(condition) != _LEADING_KEYS.get(operator):
            raise TemplateError(f"Statement {sid}", f"the condition {operator} is not emulated")
        keys += _listed(condition["dynamodb:LeadingKeys"])
    return Statement(
        sid=sid,
        allows=raw["Effect"] == "Allow",
        actions=tuple(_listed(raw["Action"])),
        resources=tuple(_listed(raw["Resource"])),
        keys=tuple(keys),
    )


def _listed(value: Any) -> list[Any]:  # noqa: ANN401  JSON: one, or a list of them
    return value if isinstance(value, list) else [value]


def _any_matches(patterns: Sequence[str], text: str, flags: int = 0) -> bool:
    return any(re.fullmatch(_as_regex(pattern), text, flags) for pattern in patterns)


@cache
def _as_regex(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


@dataclass(frozen=True, slots=True)
class Use:
    """A role asked for something, and a statement of its policies allows it."""

    role: str
    sid: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class Denial:
    """A role asked for something that no statement allows."""

    role: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class Permissions:
    """What roles, by name, were allowed and denied so far."""

    used: frozenset[Use]
    denied: frozenset[Denial]
