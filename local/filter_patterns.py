"""Which records an event source mapping's FilterCriteria let through.

The pattern language is that of "Control which events Lambda sends to your function" in the AWS
Lambda developer guide. A pattern with an operator that is not known here is refused, rather than
taken to match or not to.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from local.errors import TemplateError
from local.template import Properties, as_list, as_mapping

FilterPattern: TypeAlias = Mapping[
    str, Any
]  # JSON of any shape, as are the events it is held against

_MISSING: Final = object()
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def parse_filter_criteria(criteria: Properties, where: str) -> tuple[FilterPattern, ...]:
    """The patterns of a FilterCriteria property; none let everything through."""
    return tuple(
        _parse_pattern(as_mapping(item, where), where)
        for item in as_list(criteria.get("Filters"), f"{where}.Filters")
    )


def _parse_pattern(item: Properties, where: str) -> FilterPattern:
    try:
        pattern = json.loads(str(item.get("Pattern")))
        unknown = set(_list_operators(pattern)) - set(_OPERATORS)
    except (ValueError, AttributeError, TypeError) as error:
        raise TemplateError(where, f"{item.get('Pattern')!r} is no filter pattern") from error
    if unknown:
        raise TemplateError(where, f"filter operators {sorted(unknown)} are not emulated")
    checked: FilterPattern = pattern
    return checked


def _list_operators(pattern: FilterPattern) -> Iterator[str]:
    for key, wanted in pattern.items():
        if isinstance(wanted, Mapping):
            yield from _list_operators(wanted)
        elif key == "$or":
            for choice in wanted:
                yield from _list_operators(choice)
        else:
            yield from (name for rule in wanted if isinstance(rule, Mapping) for name in rule)


def matches_any(patterns: Sequence[FilterPattern], event: Mapping[str, Any]) -> bool:
    """Whether any of the patterns matches, or there are none."""
    return not patterns or any(matches_pattern(pattern, event) for pattern in patterns)


def matches_pattern(pattern: FilterPattern, event: object) -> bool:
    """Whether every key of the pattern is met by the event."""
    return all(_matches_key(key, wanted, event) for key, wanted in pattern.items())


def _matches_key(key: str, wanted: Any, event: object) -> bool:  # noqa: ANN401  JSON
    if key == "$or":
        return any(matches_pattern(choice, event) for choice in wanted)
    found = event.get(key, _MISSING) if isinstance(event, Mapping) else _MISSING
    if isinstance(wanted, Mapping):
        return matches_pattern(wanted, found)
    values = found if isinstance(found, list) else [found]
    return any(_matches_rule(rule, value) for rule in wanted for value in values)


def _matches_rule(rule: object, value: object) -> bool:
    if not isinstance(rule, Mapping):
        return type(rule) is type(value) and rule == value
    return all(_OPERATORS[name](argument, value) for name, argument in rule.items())


def _anything_but(argument: object, value: object) -> bool:
    unwanted = argument if isinstance(argument, list) else [argument]
    return value is not _MISSING and value not in unwanted


def _numeric(conditions: Sequence[Any], value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(conditions[::2], conditions[1::2], strict=True)
    return all(_COMPARISONS[comparison](value, bound) for comparison, bound in pairs)


_OPERATORS: Final[Mapping[str, Callable[[Any, object], bool]]] = {
    "anything-but": _anything_but,
    "equals-ignore-case": lambda text, value: str(value).lower() == text.lower(),
    "exists": lambda wanted, value: (value is not _MISSING) is wanted,
    "numeric": _numeric,
    "prefix": lambda text, value: isinstance(value, str) and value.startswith(text),
    "suffix": lambda text, value: isinstance(value, str) and value.endswith(text),
}
