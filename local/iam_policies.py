"""Evaluation of IAM policies, and the report of used and denied permissions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from local.errors import TemplateError
from local.required_permissions import RequiredPermission

# Paths at moto's address; `moto_authorization` serves them.
ROLES_PATH: Final = "/_local/roles"
PERMISSIONS_PATH: Final = "/_local/permissions"

_LEADING_KEYS: Final = {
    "ForAllValues:StringEquals": {"dynamodb:LeadingKeys"},
    "ForAllValues:StringLike": {"dynamodb:LeadingKeys"},
}
_CONTEXT_OPERATORS: Final = frozenset({"Null", "Bool"})
_CONTEXT_KEYS: Final = frozenset({"s3:if-match", "s3:if-none-match", "s3:ObjectCreationOperation"})
_EMULATED_KEYS: Final = frozenset({"Sid", "Effect", "Action", "Resource", "Condition"})


@dataclass(frozen=True, slots=True)
class ContextCondition:
    """A condition on a key of the request's context: ``Null`` or ``Bool``, with true or false."""

    operator: str
    key: str
    expected: str

    def is_met(self, context: Mapping[str, str]) -> bool:
        """Check the condition; ``Null`` is true for a key that the request lacks."""
        if self.operator == "Null":
            return (self.key not in context) is (self.expected == "true")
        return context.get(self.key) == self.expected


@dataclass(frozen=True, slots=True)
class PolicyStatement:
    """A statement of a policy; ``leading_keys`` are patterns of partition keys, empty: any key."""

    sid: str
    is_allow: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    leading_keys: tuple[str, ...]
    conditions: tuple[ContextCondition, ...] = ()

    def applies_to(self, required: RequiredPermission) -> bool:
        """Return True if action, resource, all partition keys and all conditions match."""
        context = dict(required.context)
        return (
            _matches_any_pattern(self.actions, required.action, re.IGNORECASE)
            and _matches_any_pattern(self.resources, required.resource)
            and (
                not self.leading_keys
                or all(
                    _matches_any_pattern(self.leading_keys, key) for key in required.leading_keys
                )
            )
            and all(condition.is_met(context) for condition in self.conditions)
        )


def find_allowing_statements(
    statements: Sequence[PolicyStatement], required: RequiredPermission
) -> list[PolicyStatement]:
    """Return the statements that allow a permission; none if a statement denies it."""
    applicable = [statement for statement in statements if statement.applies_to(required)]
    return applicable if all(statement.is_allow for statement in applicable) else []


@cache
def parse_policy(document: str) -> tuple[PolicyStatement, ...]:
    """Parse the statements of a policy. Raises TemplateError for unsupported ones."""
    return tuple(map(_parse_statement, _as_list(json.loads(document)["Statement"])))


def _parse_statement(raw: Mapping[str, Any]) -> PolicyStatement:
    sid = str(raw.get("Sid", ""))
    if unknown := set(raw) - _EMULATED_KEYS:
        raise TemplateError(f"Statement {sid}", f"{', '.join(unknown)} is not emulated")
    keys: list[str] = []
    conditions: list[ContextCondition] = []
    for operator, condition in raw.get("Condition", {}).items():
        if set(condition) == _LEADING_KEYS.get(operator):
            keys += _as_list(condition["dynamodb:LeadingKeys"])
        elif operator in _CONTEXT_OPERATORS and set(condition) <= _CONTEXT_KEYS:
            conditions += [ContextCondition(operator, *each) for each in sorted(condition.items())]
        else:
            raise TemplateError(f"Statement {sid}", f"condition {operator} is not emulated")
    return PolicyStatement(
        sid=sid,
        is_allow=raw["Effect"] == "Allow",
        actions=tuple(_as_list(raw["Action"])),
        resources=tuple(_as_list(raw["Resource"])),
        leading_keys=tuple(keys),
        conditions=tuple(conditions),
    )


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401  JSON: one, or a list of them
    return value if isinstance(value, list) else [value]


def _matches_any_pattern(patterns: Sequence[str], text: str, flags: int = 0) -> bool:
    return any(_matches_pattern(pattern, text, flags) for pattern in patterns)


def _matches_pattern(pattern: str, text: str, flags: int) -> bool:
    """Match a text; the pieces between stars are searched one after the other."""
    first, *rest = _compile_pieces(pattern, flags)
    if not rest:
        return first.fullmatch(text) is not None
    *middle, last = rest
    found = first.match(text)
    for piece in middle:
        found = found and piece.search(text, found.end())
    end = len(text) - pattern[::-1].index("*")
    return found is not None and found.end() <= end and last.fullmatch(text, end) is not None


@cache
def _compile_pieces(pattern: str, flags: int) -> list[re.Pattern[str]]:
    """Compile the pieces between the stars; ``?`` matches any character."""
    pieces = (re.escape(piece).replace(r"\?", ".") for piece in pattern.split("*"))
    return [re.compile(piece, flags) for piece in pieces]


@dataclass(frozen=True, slots=True)
class PermissionUse:
    """A permission that a role used, with the statement that allows it."""

    role: str
    sid: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class PermissionDenial:
    """A permission that a role lacked."""

    role: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class PermissionReport:
    """Permissions used and denied so far, by the name of the role."""

    used: frozenset[PermissionUse]
    denied: frozenset[PermissionDenial]
