"""Find possessive quantifiers (``a*+``) in the project's regular expressions.

    python -m tools.possessive_quantifiers

Python 3.11, until it was fixed in a later patch release, matches possessive groups wrongly (CPython
issues 100061 and 106052). Debian 12 ships 3.11.2, where Liquid templates lost text. The atomic
group ``(?>a*)`` means the same and works in every version.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("layers/waypost", "functions", "local", "tools", "bench", "fuzz")

# One lexical element of a regular expression; a fragment may be unbalanced, so no parser reads it.
ELEMENT = re.compile(
    r"""
      (?P<comment>\(\?\#[^)]*\))
    | (?P<escape>\\.)
    | (?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])
    | (?P<group>\((?:\?(?:P?<?[=!>:\w]*)?)?)
    | (?P<quantifier>[*+?]|\{(?:\d+(?:,\d*)?|,\d*)\})(?P<suffix>[+?]?)
    | (?P<other>.)
    """,
    re.DOTALL | re.VERBOSE,
)
VERBOSE_COMMENT = re.compile(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|#[^\n]*", re.DOTALL)


def has_possessive_quantifier(pattern: str, *, verbose: bool = False) -> bool:
    if verbose or re.match(r"\(\?[aiLmsu]*x", pattern):
        pattern = VERBOSE_COMMENT.sub(lambda found: found[1] or "", pattern)
    return any(element["suffix"] == "+" for element in ELEMENT.finditer(pattern))


def collect_names(nodes: Sequence[ast.AST]) -> set[str]:
    every = [node for top in nodes for node in ast.walk(top)]
    return {node.id for node in every if isinstance(node, ast.Name)} | {
        node.attr for node in every if isinstance(node, ast.Attribute)
    }


def find_definitions(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield each name with an expression that may become its value: assigned or passed."""
    parameters: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((name, value) for name in collect_names(targets))
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield from ((name, value) for name in collect_names([target]))
            case ast.NamedExpr(target=target, value=value):
                yield target.id, value
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                yield from ((name, value) for name in collect_names([target]))
            case ast.FunctionDef(name=name, args=args):
                parameters[name] = [a.arg for a in (*args.posonlyargs, *args.args)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield from zip(parameters.get(node.func.id, ()), node.args, strict=False)
        if isinstance(node, ast.Call):
            yield from ((word.arg, word.value) for word in node.keywords if word.arg)


def find_regex_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"))):
                yield node


def find_possessive_lines(*sources: str) -> list[tuple[int, int]]:
    """Find strings that reach a call of ``re`` and are possessive: source's index and line."""
    trees = [ast.parse(source) for source in sources]
    named: dict[str, list[tuple[int, ast.AST]]] = {}
    pending: list[tuple[int, ast.AST, bool]] = []
    for index, tree in enumerate(trees):
        for name, value in find_definitions(tree):
            named.setdefault(name, []).append((index, value))
        for call in find_regex_calls(tree):
            flags = collect_names([*call.args[1:], *(word.value for word in call.keywords)])
            pending.append((index, call, bool(flags & {"VERBOSE", "X"})))
    found: set[tuple[int, int]] = set()
    seen: set[str] = set()
    while pending:
        index, expression, verbose = pending.pop()
        for node in ast.walk(expression):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and has_possessive_quantifier(node.value, verbose=verbose)
            ):
                found.add((index, node.lineno))
        # A name means the same in each file: constants are imported, and never shadowed here.
        for name in collect_names([expression]) - seen:
            seen.add(name)
            pending += ((where, value, verbose) for where, value in named.get(name, ()))
    return sorted(found)


def main() -> None:
    files = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    found = find_possessive_lines(*(file.read_text(encoding="utf-8") for file in files))
    for index, line in found:
        print(
            f"{files[index].relative_to(ROOT)}:{line}: possessive quantifier: "
            "wrong in Python 3.11.2; write an atomic group, (?>a*)",
            file=sys.stderr,
        )
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
