"""Derive texts from a regular expression that make a slow one slow: prefix + pump × n + suffix.

A backtracking search is slow if the repeated text can be matched in many ways or from many starts,
and the match then fails. So each repeat in the expression, each text that leads to one, and each
pair of characters that the expression distinguishes is a pump.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise, product
from typing import Any, Final

op: Any = import_module("re._constants")  # the parser of expressions has no public name
parser: Any = import_module("re._parser")

_SAMPLES: Final = 6
"""Texts for one part of an expression: each branch and character comes once, up to this number."""
_MAX_ALPHABET: Final = 10
_MIN_ATTACKED_REPEAT: Final = 8
"""A repeat of fewer times multiplies the time by a constant only."""
_FOREIGN_CHARACTERS: Final = ("\x00", "\n", "é")
_CATEGORIES: Final = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}
_REPEATS: Final = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)

_Node = tuple[Any, Any]
"""An operation and its argument, as the standard library's parser returns them."""


@dataclass(frozen=True)
class Attack:
    """A text of any size: a slow expression takes much longer for four times the size."""

    prefix: str
    pump: str
    suffix: str

    def build(self, size: int) -> str:
        return self.prefix + self.pump * size + self.suffix

    def build_bytes(self, size: int) -> bytes:
        return self.build(size).encode("latin-1", "replace")


def derive_attacks(pattern: re.Pattern[Any]) -> Iterator[Attack]:
    """Derive the attacks on a pattern. For a pattern of bytes, a character is one byte."""
    source = pattern.pattern
    text = source if isinstance(source, str) else source.decode("latin-1")
    nodes = list(parser.parse(text, pattern.flags))
    alphabet = _derive_alphabet(nodes, pattern.flags)
    sampler = _Sampler(alphabet, pattern.flags, _index_groups(nodes))
    repeats = dict.fromkeys(sampler.iter_repeats(nodes, ""))
    starts = dict.fromkeys(
        [prefix for prefix, _ in repeats]
        + [prefix + body for prefix, body in repeats]
        + [sampler.sample(nodes, choice) for choice in range(_SAMPLES)]
    )
    for prefix, pump in [*repeats, *(("", start) for start in starts if start)]:
        for suffix in ["", *alphabet]:
            yield Attack(prefix, pump, suffix)
    for prefix in dict.fromkeys(["", *(prefix for prefix, _ in repeats)]):
        for pump in [*alphabet, *map("".join, product(alphabet, repeat=2))]:
            for suffix in ("", *_FOREIGN_CHARACTERS):
                yield Attack(prefix, pump, suffix)


def _derive_alphabet(nodes: Sequence[_Node], flags: int) -> list[str]:
    """Return one character for each set of characters that the expression does not distinguish."""
    sets = [node for node in _walk(nodes) if node[0] in (op.LITERAL, op.NOT_LITERAL, op.IN)]
    candidates = [*_FOREIGN_CHARACTERS, *(each for node in sets for each in _list_bounds(node))]
    by_signature: dict[tuple[bool, ...], str] = {}
    for character in candidates:
        signature = tuple(_matches(node, character, flags) for node in sets)
        by_signature.setdefault(signature, character)
    return list(by_signature.values())[:_MAX_ALPHABET]


def _walk(nodes: Sequence[_Node]) -> Iterator[_Node]:
    for node in nodes:
        yield node
        for part in _list_parts(node):
            yield from _walk(part)


def _list_parts(node: _Node) -> list[list[_Node]]:
    """Return the sequences inside a node."""
    operation, argument = node
    if operation in _REPEATS:
        return [list(argument[2])]
    if operation is op.BRANCH:
        return [list(branch) for branch in argument[1]]
    if operation is op.SUBPATTERN:
        return [list(argument[3])]
    if operation in (op.ASSERT, op.ASSERT_NOT):
        return [list(argument[1])]
    if operation is op.ATOMIC_GROUP:
        return [list(argument)]
    if operation is op.GROUPREF_EXISTS:
        return [list(branch) for branch in argument[1:] if branch]
    return []


def _index_groups(nodes: Sequence[_Node]) -> dict[int, list[_Node]]:
    return {
        node[1][0]: list(node[1][3])
        for node in _walk(nodes)
        if node[0] is op.SUBPATTERN and node[1][0] is not None
    }


def _list_bounds(node: _Node) -> list[str]:
    operation, argument = node
    if operation is op.IN:
        return [character for each in argument for character in _list_bounds(each)]
    if operation in (op.LITERAL, op.NOT_LITERAL):
        return [chr(argument)]
    if operation is op.RANGE:
        return [chr(argument[0]), chr(argument[1])]
    return [" ", "7", "a", "_"] if operation is op.CATEGORY else []


def _matches(node: _Node, character: str, flags: int) -> bool:
    operation, argument = node
    if operation is op.IN:
        is_negated = argument[0][0] is op.NEGATE
        members = argument[1:] if is_negated else argument
        return is_negated != any(_matches(each, character, flags) for each in members)
    if operation is op.CATEGORY:
        return re.match(_CATEGORIES[argument], character, flags & re.ASCII) is not None
    variants = {character.lower(), character.upper()} if flags & re.IGNORECASE else {character}
    low, high = argument if operation is op.RANGE else (argument, argument)
    is_member = any(len(each) == 1 and low <= ord(each) <= high for each in variants)
    return is_member != (operation is op.NOT_LITERAL)


@dataclass(frozen=True)
class _Sampler:
    """Writes texts that parts of an expression match, if no assertion forbids them."""

    alphabet: Sequence[str]
    flags: int
    groups: dict[int, list[_Node]]

    def iter_repeats(
        self, nodes: Sequence[_Node], before: str, choices: int = 2
    ) -> Iterator[tuple[str, str]]:
        """Yield a text that leads to each repeat, and a text that is repeated."""
        for index, node in enumerate(nodes):
            prefixes = dict.fromkeys(
                before + self.sample(nodes[:index], choice) for choice in range(choices)
            )
            for prefix in prefixes:
                if node[0] in _REPEATS and node[1][1] - node[1][0] >= _MIN_ATTACKED_REPEAT:
                    words = [self.sample(list(node[1][2]), choice) for choice in range(_SAMPLES)]
                    pairs = [first + second for first, second in pairwise(words)]
                    yield from ((prefix, word) for word in words + pairs if word)
                for part in _list_parts(node):
                    yield from self.iter_repeats(part, prefix, choices=1)

    def sample(self, nodes: Sequence[_Node], choice: int) -> str:
        """Return the text number ``choice`` of a sequence."""
        return "".join(self._sample_node(node, choice) for node in nodes)

    def _sample_node(self, node: _Node, choice: int) -> str:
        operation, argument = node
        if operation in (op.ASSERT, op.ASSERT_NOT, op.AT):
            return ""
        if operation is op.GROUPREF:
            return self.sample(self.groups[argument], choice)
        parts = _list_parts(node)
        if operation in _REPEATS:
            return self.sample(parts[0], choice) * max(1, int(argument[0]))
        if parts:
            return self.sample(parts[choice % len(parts)], choice // len(parts))
        if operation is op.LITERAL:
            return chr(argument)
        members = [each for each in self.alphabet if self._is_member(node, each)]
        return members[choice % len(members)] if members else ""

    def _is_member(self, node: _Node, character: str) -> bool:
        if node[0] is op.ANY:
            return character != "\n" or bool(self.flags & re.DOTALL)
        return _matches(node, character, self.flags)
