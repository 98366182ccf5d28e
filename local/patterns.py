"""Which records an event source mapping's FilterCriteria let through.

The pattern language is that of "Control which events Lambda sends to your function" in the AWS Lambda developer
guide. An operator that is not understood raises TemplateError rather than matching or not.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from local.errors import TemplateError
from local.template import Properties

Pattern = Mapping[str, Any]  # JSON of any shape, as are the events that it is held against

_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MISSING: Final = object()


def filters(criteria: Properties, where: str) -> list[Pattern]:
    """The patterns of a FilterCriteria property; none let everything through."""
    found = criteria.get("Filters") or []
    if not isinstance(found, list):
        raise TemplateError(where, "Filters is not a list")
    patterns = []
    for item in found:
        try:
            pattern = json.loads(str(item["Pattern"]) if isinstance(item, dict) else "")
            matches(pattern, {})  # an operator that is not understood shows here already
        except (ValueError, KeyError) as error:
            raise TemplateError(where, f"is no filter pattern: {error}") from error
        patterns.append(pattern)
    return patterns


def passes(patterns: Sequence[Pattern], event: Mapping[str, Any]) -> bool:
    """Whether any of the patterns matches, or there are none."""
    return not patterns or any(matches(pattern, event) for pattern in patterns)


def matches(pattern: Pattern, event: object) -> bool:
    """Whether every key of the pattern is met by the event."""
    results = []
    for key, wanted in pattern.items():
        if key == "$or":
            results.append(any([matches(choice, event) for choice in wanted]))
            continue
        found = event.get(key, _MISSING) if isinstance(event, Mapping) else _MISSING
        results.append(
            matches(wanted, found) if isinstance(wanted, Mapping) else _any_of(wanted, found)
        )
    return all(results)


def _any_of(wanted: Sequence[Any], found: object) -> bool:
    values = found if isinstance(found, list) else [found]
    return any([_meets(rule, value) for rule in wanted for value in values])


def _meets(rule: object, value: object) -> bool:
    if not isinstance(rule, Mapping):
        return rule == value and isinstance(rule, bool) == isinstance(value, bool)
    ((name, argument),) = rule.items()
    text = value if isinstance(value, str) else None
    match name:
        case "exists":
            return (value is not _MISSING) == argument
        case "prefix":
            return text is not None and text.startswith(argument)
        case "suffix":
            return text is not None and text.endswith(argument)
        case "equals-ignore-case":
            return text is not None and text.lower() == argument.lower()
        case "anything-but":
            return value is not _MISSING and value not in (
                argument if isinstance(argument, list) else [argument]
            )
        case "numeric":
            return _numeric(argument, value)
    raise TemplateError("FilterCriteria", f"operator {name!r} is not emulated")


def _numeric(conditions: Sequence[Any], value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(conditions[::2], conditions[1::2], strict=True)
    return all(_COMPARISONS[comparison](value, bound) for comparison, bound in pairs)
