"""The dependency rules of docs/architecture.md hold for the imports of the layer."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tools.docs.reference import PACKAGE, list_imports

ROOT = Path(__file__).parents[2]
AWS_LIBRARIES = {"aws_lambda_powertools", "boto3", "botocore", "s3transfer"}

PURE_MODULES = (
    *("ids", "errors", "path_names", "urls", "models", "bot_detection", "validation"),
    *("tokens.codec", "tokens.repair", "tokens.signer"),
    *("clicks.lambda_events", "clicks.request"),
    *("rewrite.compiler", "rewrite.diagnostics", "rewrite.link_rules", "rewrite.link_writer"),
    *("rewrite.links", "rewrite.liquid", "rewrite.schemas", "rewrite.sms_segments"),
    "rewrite.url_parameters",
)
"""Modules and packages that import no AWS library, also not through other modules."""
DOMAIN_MODULES_WITH_AWS = {"cloudfront", "sender_identity"}


def get_module_name(file: Path) -> str:
    parts = ("waypost", *file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


FILES = {get_module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}
MODULES = sorted(set(FILES) - {"waypost"})


@cache
def get_direct_imports(module: str) -> frozenset[str]:
    """Return the layer's modules that a module imports; a name counts as its module."""
    return frozenset(
        name if name in FILES else name.rpartition(".")[0]
        for name in list_imports(FILES[module])
        if name.startswith("waypost.")
    )


@cache
def get_libraries(module: str) -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in list_imports(FILES[module])) - {"waypost"}


def get_all_imports(module: str) -> set[str]:
    """Return a module and every module of the layer that is imported with it."""
    imports, pending = set[str](), [module]
    while pending:
        current = pending.pop()
        if current not in imports:
            imports.add(current)
            pending += get_direct_imports(current)
    return imports


def get_package(module: str) -> str:
    """Return the package below ``waypost``: ``tokens`` for ``waypost.tokens.codec``."""
    return module.split(".")[1]


def test_packages_import_each_other_in_one_direction_only() -> None:
    imports: dict[str, set[str]] = {get_package(module): set() for module in MODULES}
    for module in MODULES:
        for other in get_direct_imports(module) - {"waypost"}:
            pair = get_package(module), get_package(other)
            if pair[0] != pair[1]:
                imports[pair[0]].add(pair[1])
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_modules_have_no_import_cycle() -> None:
    try:
        TopologicalSorter({module: get_direct_imports(module) for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("name", PURE_MODULES)
def test_pure_code_imports_no_aws_library_directly_or_through_other_modules(name: str) -> None:
    full_name = f"waypost.{name}"
    covered = [m for m in MODULES if m == full_name or m.startswith(f"{full_name}.")]
    assert covered
    for module in covered:
        found = {other: get_libraries(other) & AWS_LIBRARIES for other in get_all_imports(module)}
        assert not any(found.values()), f"{module}: {found}"


def test_domain_rules_import_no_aws_library() -> None:
    for module in MODULES:
        name = module.rpartition(".")[2]
        if get_package(module) == "domains" and name not in DOMAIN_MODULES_WITH_AWS:
            assert not get_libraries(module) & AWS_LIBRARIES, module


def test_client_imports_no_server_code() -> None:
    for module in MODULES:
        if get_package(module) == "client":
            packages = {get_package(other) for other in get_all_imports(module) - {"waypost"}}
            assert packages <= {"client", "errors", "retry"}


def test_no_module_imports_a_handler() -> None:
    for folder in ("layers/waypost", "functions", "local", "tools"):
        for file in (ROOT / folder).rglob("*.py"):
            packages = {name.partition(".")[0] for name in list_imports(file)}
            assert not packages & {"app", "functions"}, file


def test_workspace_ids_come_only_from_the_repository() -> None:
    """Code that derives an id from a name could forget to compare the name with the id's owner."""
    folders = ("layers/waypost", "functions", "local", "tools")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    deriving = {
        file for file in files if "waypost.ids.derive_workspace_id" in set(list_imports(file))
    }
    assert deriving == {
        FILES["waypost.repositories.dynamodb.workspaces"],
        FILES["waypost.reports.share_links"],  # names a cookie
    }


def test_every_module_has_a_docstring() -> None:
    for module, file in FILES.items():
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), module
