"""Every regular expression takes linear time: four times the text takes about four times as long.

The texts are derived from each expression. Expressions in functions are not found this way, so the
code has none, except those that are built of other values.
"""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from tests.growth import grows_linearly
from tests.pattern_inventory import (
    list_compiled_names,
    list_inline_calls,
    list_methods,
    list_patterns,
)
from tests.regex_attacks import Attack, derive_attacks

_CHARACTERS: Final = 4096
_MIN_PUMPS: Final = 2048

BUILT_IN_FUNCTIONS: Final = {
    "local.api_gateway._compile_path()": "a route's names are separated by slashes",
    "local.iam_policies._compile_pieces()": "a piece of a wildcard has no repeat",
    "local.intrinsics._check_constraints()": "the AllowedPattern of this project's template",
}
"""Expressions that are built at run time, and the reason for which they are linear."""

SLOW_PATTERNS: Final = {
    "nested repeats": r"(a+)+$",
    "overlapping branches": r"(?:a|b|ab)*c",
    "repeats around an optional character": r"x*y?x*z",
    "search for the end of a line": r"\s+$",
    "search with a common beginning": r"eyJ[\w\-]{8,}\.eyJ",
    "lookahead to the end": r"(?=[\w\-]*\d)[\w\-]{20,200}",
    "lookbehind before a repeat": r"(?<![!\w])\(?\s*(?:gte?\s+)?mso\b",
    "quoted text with nested braces": (
        r"(?P<quote>[\"'])(?:\{\{(?:(?!\}\}).)*\}\}|(?!(?P=quote)).)*(?P=quote)"
    ),
    "bytes": rb"=[ \t]*[ ]*\n",
}
FAST_PATTERNS: Final = {
    "anchored repeat": r"(?<!\w)\w+:",
    "repeats of different characters": r"(?<![ab])a*b*c",
    "block without its own beginning": r"\{\{[^{}]*\}\}",
    "bounded repeat": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}",
}


def find_slow_text(pattern: re.Pattern[Any], method: str) -> Attack | None:
    """Find a text on which a pattern takes more than linear time."""
    run = getattr(pattern, method)
    for attack in derive_attacks(pattern):
        size = max(_MIN_PUMPS, _CHARACTERS // len(attack.pump))
        build = attack.build_bytes if isinstance(pattern.pattern, bytes) else attack.build
        if not grows_linearly(run, build, size):
            return attack
    return None


@pytest.mark.heavy
@pytest.mark.parametrize("path", sorted(list_compiled_names()))
def test_regular_expression_takes_linear_time(path):
    patterns = {
        name: pattern
        for name, pattern in list_patterns().items()
        if name.partition("[")[0] == path or name.startswith(f"{path}[")
    }
    assert patterns, f"{path}: no pattern found; assign patterns to names of a module or class"
    for name, pattern in patterns.items():
        for method in list_methods(name):
            assert find_slow_text(pattern, method) is None, f"{name}.{method}"


def test_functions_call_no_regular_expression_outside_the_inventory():
    assert list_inline_calls() == set(BUILT_IN_FUNCTIONS)


@pytest.mark.heavy
@pytest.mark.parametrize("expression", SLOW_PATTERNS.values(), ids=SLOW_PATTERNS)
def test_slow_regular_expression_is_found(expression):
    assert find_slow_text(re.compile(expression), "findall") is not None


@pytest.mark.parametrize("expression", FAST_PATTERNS.values(), ids=FAST_PATTERNS)
def test_fast_regular_expression_is_accepted(expression):
    assert find_slow_text(re.compile(expression), "findall") is None
