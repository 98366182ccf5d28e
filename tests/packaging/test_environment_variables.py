"""Test that each function has exactly the variables that its configuration reads."""

import ast
import inspect
import re

import pytest

from tests.packaging.sam_build import FUNCTIONS, ROOT, TEMPLATE
from waypost import composition
from waypost.config import (
    DomainConfig,
    DrainConfig,
    FunctionConfig,
    RedirectConfig,
    ReportConfig,
    RewriteConfig,
    ShareLinkConfig,
    TallyConfig,
    VerifyDomainsConfig,
)

READ: dict[str, tuple[type[FunctionConfig], ...]] = {
    "ApiFunction": (ReportConfig, DomainConfig, ShareLinkConfig),
    "DrainFunction": (DrainConfig,),
    "PagesFunction": (ReportConfig, DomainConfig),
    "RedirectFunction": (RedirectConfig,),
    "RewriteFunction": (RewriteConfig,),
    "TallyFunction": (TallyConfig,),
    "VerifyDomainsFunction": (DomainConfig, VerifyDomainsConfig),
}
THROUGH_SERVICES = {"ApiFunction", "PagesFunction"}
UNSET = {
    ("PagesFunction", "EVENT_BUS"),  # it publishes no domain events
    ("PagesFunction", "SHORT_LINKS_TABLE"),  # it erases no one
}
FOR_CLOUDFORMATION = {
    (
        "RedirectFunction",
        "ORIGIN_SECRET_REVISION",
    ),  # changes when the secrets rotate, so that a new version reads them
    ("RedirectFunction", "DEPLOYED_WITH"),  # its change publishes a version
    ("RewriteFunction", "DEPLOYED_WITH"),
}


def list_template_variables(function: str) -> set[str]:
    return set(FUNCTIONS[function]["Properties"].get("Environment", {}).get("Variables", {}))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_has_exactly_the_variables_of_its_configuration(function):
    read = {variable for settings in READ[function] for variable in settings.list_variables()}
    unset = {variable for name, variable in UNSET if name == function}
    added = {variable for name, variable in FOR_CLOUDFORMATION if name == function}
    assert unset <= read
    assert list_template_variables(function) - added == read - unset


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_has_every_required_variable(function):
    required = {
        variable
        for settings in READ[function]
        for variable, must in settings.list_variables().items()
        if must
    }
    assert required <= list_template_variables(function)


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - THROUGH_SERVICES))
def test_handler_imports_the_listed_configurations(function):
    handler = ROOT / FUNCTIONS[function]["Properties"]["CodeUri"] / "app.py"
    tree = ast.parse(handler.read_text())
    configurations = set(_list_imports(tree, "waypost.config"))
    for name in _list_imports(tree, "waypost.composition"):
        if callable(factory := getattr(composition, name)):
            configurations |= set(re.findall(r"(\w+Config)\.from_env", inspect.getsource(factory)))
    assert configurations == {settings.__name__ for settings in READ[function]}


def _list_imports(tree: ast.AST, module: str) -> list[str]:
    return [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    ]


def test_log_level_is_the_only_variable_of_all_functions():
    assert set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]) == {
        "POWERTOOLS_LOG_LEVEL"
    }
