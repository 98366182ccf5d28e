"""What docs/architecture.md says of the modules is what their imports say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "waypost" / "waypost"
AWS = {"aws_lambda_powertools", "boto3", "botocore", "s3transfer"}

PURE = {
    "ids",
    "errors",
    "urls",
    "models",
    "bot_detection",
    "validation",
}
SPEAK_TO_AWS = {"cloudfront", "sender_identity"}  # of domains
OBSERVED = "waypost.observability"


def module_name(file: Path) -> str:
    parts = ("waypost", *file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


FILES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def imported(file: Path) -> Iterator[str]:
    """Full names of what a file imports when it runs; what only types need is left out."""
    waiting: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)


@cache
def of_ours(module: str) -> frozenset[str]:
    """The modules of the package that one imports; a name out of a module is that module."""
    return frozenset(
        name if name in FILES else name.rpartition(".")[0]
        for name in imported(FILES[module])
        if name.startswith("waypost.")
    )


@cache
def libraries(module: str) -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in imported(FILES[module])) - {"waypost"}


def reached(module: str, without: frozenset[str] = frozenset()) -> set[str]:
    """The module, and whatever is imported along with it."""
    found, waiting = set(), [module]
    while waiting:
        one = waiting.pop()
        if one not in found and one not in without:
            found.add(one)
            waiting += of_ours(one)
    return found


def part(module: str) -> str:
    """What stands in the picture for a module: ``tokens`` for ``waypost.tokens.codec``."""
    return module.split(".")[1]


def picture() -> list[set[str]]:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = text.partition("```modules\n")[2].partition("```")[0]
    return [set(line.split()) for line in block.splitlines()]


MODULES = sorted(set(FILES) - {"waypost"})


def test_the_picture_shows_every_part_once():
    drawn = [name for line in picture() for name in line]
    assert sorted(drawn) == sorted({part(module) for module in MODULES})


def test_what_stands_on_a_line_imports_only_from_lines_below():
    line = {name: depth for depth, names in enumerate(picture()) for name in names}
    wrong = {
        f"{module} imports {other}"
        for module in MODULES
        for other in of_ours(module)
        if part(other) != part(module) and line[part(other)] <= line[part(module)]
    }
    assert not wrong


def test_no_modules_import_each_other_around_any_corner():
    try:
        TopologicalSorter({module: of_ours(module) for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_code_imports_no_aws_library_not_even_through_something_else(name):
    for module in MODULES:
        if part(module) == name:
            found = {other: libraries(other) & AWS for other in reached(module)}
            assert not any(found.values()), f"{module}: {found}"


def test_the_rules_of_domains_import_no_aws_library():
    for module in MODULES:
        if part(module) == "domains" and module.rpartition(".")[2] not in SPEAK_TO_AWS:
            assert not libraries(module) & AWS, module


def test_the_client_brings_nothing_of_the_server_along():
    for module in MODULES:
        if part(module) == "client":
            parts = {part(other) for other in reached(module) - {"waypost"}}
            assert parts <= {"client", "errors", "retry"}


def test_nothing_imports_a_handler():
    for folder in ("layers/waypost", "functions", "local", "tools"):
        for file in (ROOT / folder).rglob("*.py"):
            found = {name.partition(".")[0] for name in imported(file)}
            assert not found & {"app", "functions"}, file


def test_every_module_says_what_it_decides():
    for module, file in FILES.items():
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), module
