"""List the regular expressions of the layer, of functions and of the embedded stack."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
_PACKAGES: Final = {
    "layers/waypost/waypost": "layers/waypost",
    "local": "",
    "functions": "functions",
}
"""Folders with sources, and the root of their modules' names."""
_SCANNING_METHODS: Final = {"search", "finditer", "findall", "sub", "subn", "split"}
_ANCHORED_METHODS: Final = {"match", "fullmatch"}


@cache
def list_patterns() -> Mapping[str, re.Pattern[Any]]:
    """Import the modules that use ``re``; return their patterns by module and variable."""
    found: dict[str, re.Pattern[Any]] = {}
    for module in sorted({call.rpartition(".")[0] for call in _list_calls()}):
        for name, value in list(vars(import_module(module)).items()):
            found.update(_iter_patterns(value, f"{module}.{name}"))
    return found


def _iter_patterns(value: object, path: str) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Yield a pattern, or the patterns in a container or in a class of this project."""
    match value:
        case re.Pattern():
            yield path, value
        case dict():
            yield from _iter_items(value, path)
        case list() | tuple() | set() | frozenset():
            yield from _iter_items(dict(enumerate(value)), path)
        case type() if value.__module__ == path.rpartition(".")[0]:
            yield from _iter_items(dict(vars(value)), path)


def _iter_items(items: Mapping[Any, object], path: str) -> Iterator[tuple[str, re.Pattern[Any]]]:
    for key, value in items.items():
        if isinstance(value, re.Pattern | tuple):
            yield from _iter_patterns(value, f"{path}[{key}]")


def list_methods(path: str) -> list[str]:
    """List the methods with which the code uses a pattern.

    ``findall`` stands for all methods that search. A pattern whose name has no method is passed
    on, and may be searched.
    """
    name = path.partition("[")[0].rpartition(".")[2]
    used = _index_methods().get(name, frozenset())
    anchored = sorted(used & _ANCHORED_METHODS)
    return [*anchored, "findall"] if used & _SCANNING_METHODS or not anchored else anchored


@cache
def _index_methods() -> Mapping[str, frozenset[str]]:
    """Return the attributes that the code reads from each name, or from its items."""
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for _, tree in _iter_trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                owner = node.value.value if isinstance(node.value, ast.Subscript) else node.value
                name = getattr(owner, "id", None) or getattr(owner, "attr", None)
                methods[str(name)].add(node.attr)
    return {name: frozenset(found) for name, found in methods.items()}


def list_compiled_names() -> set[str]:
    """List the variables of modules and classes to which the result of ``re`` is assigned."""
    return {call for call in _list_calls() if "()" not in call}


def list_inline_calls() -> set[str]:
    """List the functions that call ``re``, whose expressions no inventory has."""
    return {call for call in _list_calls() if "()" in call}


@cache
def _list_calls() -> frozenset[str]:
    return frozenset(
        f"{module}.{name}" for module, tree in _iter_trees() for name in _iter_calls(tree, "")
    )


def _iter_calls(node: ast.AST, name: str) -> Iterator[str]:
    """Yield the variable or ``function()`` around each call of ``re`` or import of its names."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            name = f"{node.name}()"
        case ast.Lambda():
            name = "lambda()"
        case ast.Assign(targets=[target, *_]) | ast.AnnAssign(target=target) if "()" not in name:
            name = ast.unparse(target)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=attribute)):
            if attribute != "escape":
                yield name or "()"
        case ast.ImportFrom(module="re"):
            yield from (f"{each.name}()" for each in node.names if each.name != "Pattern")
    for child in ast.iter_child_nodes(node):
        yield from _iter_calls(child, name)


@cache
def _iter_trees() -> tuple[tuple[str, ast.Module], ...]:
    return tuple(
        (".".join(path.relative_to(ROOT / base).with_suffix("").parts), ast.parse(path.read_text()))
        for folder, base in _PACKAGES.items()
        for path in sorted((ROOT / folder).rglob("*.py"))
    )
