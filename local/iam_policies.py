"""What policies allow, and what roles made of it: used permissions, and denied ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from local.errors import TemplateError
from local.required_permissions import RequiredPermission

# At moto's address, where no function looks: `moto_permissions` answers.
ROLES_PATH: Final = "/_local/roles"
PERMISSIONS_PATH: Final = "/_local/permissions"

_LEADING_KEYS: Final = {
    "ForAllValues:StringEquals": {"dynamodb:LeadingKeys"},
    "ForAllValues:StringLike": {"dynamodb:LeadingKeys"},
}
_EMULATED_KEYS: Final = frozenset({"Sid", "Effect", "Action", "Resource", "Condition"})


@dataclass(frozen=True, slots=True)
class PolicyStatement:
    """A statement of a policy. ``keys`` are patterns of partition keys; none, and any will do."""

    sid: str
    is_allow: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    leading_keys: tuple[str, ...]

    def applies_to(self, required: RequiredPermission) -> bool:
        return (
            _matches_any_pattern(self.actions, required.action, re.IGNORECASE)
            and _matches_any_pattern(self.resources, required.resource)
            and (
                not self.leading_keys
                or all(
                    _matches_any_pattern(self.leading_keys, key) for key in required.leading_keys
                )
            )
        )


def find_allowing_statements(
    statements: Sequence[PolicyStatement], required: RequiredPermission
) -> list[PolicyStatement]:
    """The statements that allow it; none where it is denied."""
    concerned = [statement for statement in statements if statement.applies_to(required)]
    return concerned if all(statement.is_allow for statement in concerned) else []


@cache
def parse_policy(document: str) -> tuple[PolicyStatement, ...]:
    """The statements of a policy. Raises TemplateError for what is not emulated."""
    return tuple(map(_parse_statement, _as_list(json.loads(document)["Statement"])))


def _parse_statement(raw: Mapping[str, Any]) -> PolicyStatement:
    sid = str(raw.get("Sid", ""))
    if unknown := set(raw) - _EMULATED_KEYS:
        raise TemplateError(f"Statement {sid}", f"{', '.join(unknown)} is not emulated")
    keys: list[str] = []
    for operator, condition in raw.get("Condition", {}).items():
        if set(condition) != _LEADING_KEYS.get(operator):
            raise TemplateError(f"Statement {sid}", f"the condition {operator} is not emulated")
        keys += _as_list(condition["dynamodb:LeadingKeys"])
    return PolicyStatement(
        sid=sid,
        is_allow=raw["Effect"] == "Allow",
        actions=tuple(_as_list(raw["Action"])),
        resources=tuple(_as_list(raw["Resource"])),
        leading_keys=tuple(keys),
    )


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401  JSON: one, or a list of them
    return value if isinstance(value, list) else [value]


def _matches_any_pattern(patterns: Sequence[str], text: str, flags: int = 0) -> bool:
    return any(re.fullmatch(_to_regex(pattern), text, flags) for pattern in patterns)


@cache
def _to_regex(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


@dataclass(frozen=True, slots=True)
class PermissionUse:
    """A role asked for something, and a statement of its policies allows it."""

    role: str
    sid: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class PermissionDenial:
    """A role asked for something that no statement allows."""

    role: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class PermissionReport:
    """What roles, by name, were allowed and denied so far."""

    used: frozenset[PermissionUse]
    denied: frozenset[PermissionDenial]
