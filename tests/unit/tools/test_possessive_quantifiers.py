"""Possessive quantifiers are found in patterns only."""

from __future__ import annotations

from importlib import import_module

import pytest

from tools.possessive_quantifiers import find_possessive_lines, has_possessive_quantifier

POSSESSIVE = ["a*+", "a++", "a?+", "a{2}+", "a{2,}+", "a{,3}+", "(?:ab)*+", "[ab]*+c", r"\++\+++"]
POSSESSIVE += ["((a*+))b", r"[]a]*+", r"[^]a]++", "(?P<n>a)?+", "(?=a++)", "(?<!b)(?:c)*+"]
HARMLESS = [r"\++", "[+*]+", "[*+]", "[]*+]", r"[\]*+]", r"\*+", r"\?+", "(?>a*)", "a*?b+", "a+?"]
HARMLESS += ["{+", "a{b}+", r"\\+", "(?#a*+)b", r"\{+", "(a+)+", "(?:a*)+", "[^]*+]", r"a\{2}+"]


def parses_to_possessive(pattern: str) -> bool:
    return "POSSESSIVE_REPEAT" in repr(import_module("re._parser").parse(pattern))


@pytest.mark.parametrize("pattern", POSSESSIVE)
def test_possessive_quantifier_is_found(pattern):
    assert has_possessive_quantifier(pattern)
    assert parses_to_possessive(pattern)


@pytest.mark.parametrize("pattern", HARMLESS)
def test_other_plus_signs_are_ignored(pattern):
    assert not has_possessive_quantifier(pattern)
    assert not parses_to_possessive(pattern)


def test_comment_in_a_verbose_pattern_is_ignored():
    assert not has_possessive_quantifier("(?x) a # as in C++\n")
    assert find_possessive_lines('import re\nre.compile("a # C++", re.VERBOSE)') == []


@pytest.mark.parametrize(
    "source",
    [
        're.search("a*+", text)',
        're.compile("a" + PART + "c")\nPART: Final = "b*+"',
        're.compile(f"(?:{PART})*+")',
        're.sub(theirs.replace(OLD, NEW), "", text)\nNEW = r"a++"',
        're.compile("|".join(PARTS))\nPARTS = ("a", "b?+")',
        're.compile("|".join(part for part in PARTS))\nPARTS = ["a", "b?+"]',
        'def build(part):\n    return re.compile(part)\nbuild("a{2}+")',
    ],
)
def test_pattern_is_found_through_names_and_parameters(source):
    assert len(find_possessive_lines(source)) == 1


def test_pattern_from_another_file_is_found():
    assert find_possessive_lines("re.compile(PART)", '\nPART = "a*+"') == [(1, 2)]


def test_strings_that_are_not_patterns_are_ignored():
    assert (
        find_possessive_lines('"""C++"""\nPLAIN = "()*+,-./"\nre.compile("a")\nprint("C++")') == []
    )
