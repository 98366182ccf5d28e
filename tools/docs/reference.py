"""Writes the reference tables of the documentation from code: ``make docs``.

A page marks each table with a pair of comments; everything between them is replaced:

    <!-- generated: settings -->
    <!-- end -->

``python -m tools.docs.reference`` writes the tables; ``--check`` only names pages whose tables are
not current.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from fuzz.targets import TARGETS
from local.template import load_template
from tests.faults.promises import PROMISES
from tests.trust.threat_model import THREAT_MODEL, EntryPoint, Threat
from tools.docs.pages import ROOT, list_pages
from waypost import errors, observability
from waypost.api.workspace_settings import SettingsChange
from waypost.models import workspace
from waypost.responses import get_error_status

PACKAGE: Final = ROOT / "layers" / "waypost" / "waypost"
_SECTION: Final = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_SETTING_PAGES: Final = {
    "url_params": "rewriting.md#url-parameters",
    "shorten": "short-links.md",
    "track_opens": "opens.md",
    "retention_days": "privacy.md",
    "ip": "privacy.md",
    "secret_links": "rewriting.md#which-links-are-tracked",
    "signed_params": "rewriting.md#signed-urls",
    "schemes": "settings.md#refused-schemes",
    "events": "counting.md#events",
    "machine_threshold": "bot-clicks.md",
}


def format_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Format a Markdown table with a blank line before and after."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def first_sentence(docstring: str) -> str:
    """Return a docstring's first sentence in Markdown, without its full stop."""
    paragraph = " ".join(inspect.cleandoc(docstring).partition("\n\n")[0].split())
    sentence = re.split(r"(?<=[^.][.])\s+(?=[A-Z`])", paragraph)[0].removesuffix(".")
    return sentence.replace("``", "`").replace("|", "\\|")


def build_settings_table() -> str:
    """Build the table of a workspace's settings: values from the API, effects from the model."""
    effects = _read_member_docstrings(workspace, "WorkspaceSettings")
    properties: dict[str, Any] = SettingsChange.model_json_schema()["properties"]
    defaults = SettingsChange().model_dump_json()
    known = SettingsChange.model_validate_json(defaults).model_dump(mode="json")
    rows = []
    for name, schema in properties.items():
        page = _SETTING_PAGES.get(name)
        more = f" ([{page.partition('#')[0]}]({page}))" if page else ""
        default = f"`{json.dumps(known[name])}`"
        effect = first_sentence(effects[name]) + more
        rows.append((f"`{name}`", _describe_values(schema), default, effect))
    return format_table(("setting", "values", "default", "effect"), rows)


def _describe_values(schema: dict[str, Any]) -> str:
    """Describe the values that a JSON schema allows, in words."""
    if "$ref" in schema:
        return '`{"sms": …, "whatsapp": …}`, each `true` or `false`'
    if "anyOf" in schema:
        return " or ".join(map(_describe_values, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    match schema["type"]:
        case "boolean":
            return "`true`, `false`"
        case "integer":
            return f"{schema['minimum']} to {schema['maximum']}"
        case "null":
            return "`null`"
        case "array":
            return f"a list of up to {schema['maxItems']} texts"
        case _:
            return f"an object of up to {schema['maxProperties']} names and texts"


def build_errors_table() -> str:
    """Build the table of the error classes with the HTTP status that callers see."""
    rows = []
    for error_class in _walk_subclasses(errors.WaypostError):
        status, title = get_error_status(Exception.__new__(error_class))
        parent = error_class.__mro__[1].__name__
        meaning = first_sentence(error_class.__doc__ or "")
        rows.append((f"`{error_class.__name__}`", f"`{parent}`", str(status), title, meaning))
    return format_table(("error", "kind of", "status", "title", "meaning"), rows)


def _walk_subclasses(parent: type[Any]) -> Iterator[type[Any]]:
    for child in parent.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _walk_subclasses(child)


def build_metrics_table() -> str:
    """Build the table of Waypost's own metrics with the alarms that watch them."""
    meanings = _read_member_docstrings(observability, "Metric")
    alarms = defaultdict(list)
    for name, properties in _list_alarms():
        for metric in _list_metric_names(properties):
            alarms[metric].append(f"`{name}`")
    rows = [
        (
            f"`{metric.value}`",
            first_sentence(meanings[metric.name]),
            ", ".join(alarms[metric.value]),
        )
        for metric in observability.Metric
    ]
    return format_table(("metric", "counts", "alarm"), rows)


def build_alarms_table() -> str:
    """Build the table of the template's alarms with the runbook entry of each."""
    rows = []
    for name, properties in _list_alarms():
        meaning, entry = re.fullmatch(
            r"(.*) \(runbook, (.*)\)", str(properties["AlarmDescription"])
        ).groups()  # type: ignore[union-attr]
        metrics = ", ".join(f"`{metric}`" for metric in _list_metric_names(properties))
        link = f"[{entry}](runbook.md#{entry.lower().replace(' ', '-')})"
        rows.append((f"`{name}`", metrics, meaning, link))
    return format_table(("alarm", "metric", "meaning", "runbook"), rows)


def _list_alarms() -> Iterator[tuple[str, Any]]:
    for name, resource in load_template(ROOT / "template.yaml").resources.items():
        if resource.type == "AWS::CloudWatch::Alarm":
            yield name, resource.properties


def _list_metric_names(properties: Any) -> list[str]:  # noqa: ANN401 - a template's values
    """List the names of the metrics that an alarm watches, each once."""
    if "MetricName" in properties:
        return [str(properties["MetricName"])]
    queries = (query.get("MetricStat") for query in properties["Metrics"])
    return list(dict.fromkeys(str(stat["Metric"]["MetricName"]) for stat in queries if stat))


def build_faults_tables(function: str) -> str:
    """Build a function's table of promises for the calls that may fail."""
    rows = [
        (
            ", ".join(f"`{call}`" for call in promise.calls) + promise.condition,
            promise.promise,
            ", ".join(f"`{test}`" for test in promise.tests),
        )
        for promise in PROMISES[function]
    ]
    return format_table(("Call", "Promise", "Which test shows it"), rows)


def build_assets_table() -> str:
    """Build the table of the threat model's assets."""
    return format_table(("asset", "meaning"), [*THREAT_MODEL.assets.items()])


def build_actors_table() -> str:
    """Build the table of the threat model's actors."""
    return format_table(("actor", "can do"), [*THREAT_MODEL.actors.items()])


def build_threats_sections() -> str:
    """Build a section for each entry point: its names, actors and assets, and its threats."""
    return "\n" + "\n".join(map(_build_threats_section, THREAT_MODEL.entry_points)) + "\n"


def _build_threats_section(entry: EntryPoint) -> str:
    sources = ", ".join(f"`{source}`" for source in entry.sources)
    facts = (sources, ", ".join(entry.actors), ", ".join(entry.assets))
    threats = [(row.threat, row.mitigation, _link_tests(row)) for row in entry.threats]
    return (
        f"### {entry.name}\n"
        + format_table(("entered through", "by", "reaches"), [facts])
        + format_table(("threat", "mitigation", "which test shows it"), threats).strip("\n")
        + "\n"
    )


def _link_tests(threat: Threat) -> str:
    """Link each test to its file, relative to docs/."""
    names = (name.partition("::") for name in threat.tests)
    return ", ".join(f"[`{function}`](../{path})" for path, _, function in names)


def build_fuzz_table() -> str:
    """Build the table of fuzz targets with the property that each one checks."""
    rows = [
        (f"`{name}`", first_sentence(target.run.__doc__ or "")) for name, target in TARGETS.items()
    ]
    return format_table(("target", "property, for any bytes"), rows)


def build_modules_table() -> str:
    """Build the table of the layer's modules, by package, with the first line of each."""
    rows = []
    for path in sorted(PACKAGE.rglob("*.py"), key=lambda path: path.relative_to(PACKAGE).parts):
        name = path.relative_to(PACKAGE).as_posix()
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        if docstring and name != "__init__.py":
            rows.append((f"`{name}`", first_sentence(docstring)))
    return format_table(("module", "contents"), rows)


def build_layers_picture() -> str:
    """Build the picture of the packages: each imports only from lines below its own."""
    imports = read_package_imports()
    levels: dict[str, int] = {}
    for package in TopologicalSorter(imports).static_order():
        levels[package] = 1 + max((levels[other] for other in imports[package]), default=-1)
    lines = defaultdict(list)
    for package in sorted(levels):
        lines[levels[package]].append(package)
    picture = "\n".join(" ".join(lines[level]) for level in sorted(lines, reverse=True))
    return f"\n```text\n{picture}\n```\n\n"


@cache
def read_package_imports() -> dict[str, set[str]]:
    """Read which top-level packages and modules of the layer import which others."""
    imports: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        package = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if package == "__init__":
            continue
        names = [name for name in list_imports(path) if name.startswith("waypost.")]
        others = {name.split(".")[1] for name in names}
        imports[package] |= {
            other
            for other in others - {package}
            if (PACKAGE / other).exists() or (PACKAGE / f"{other}.py").exists()
        }
    return dict(imports)


def list_imports(path: Path) -> Iterator[str]:
    """List the full names that a file imports at run time, not those for type checkers alone.

    Raises ValueError for a relative import.
    """
    nodes: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}: relative import; import from waypost")
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        nodes += ast.iter_child_nodes(node)


def _read_member_docstrings(module: Any, class_name: str) -> dict[str, str]:  # noqa: ANN401
    """Read the string literal below each member of a class, by the member's name."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(module, class_name))))
    members = tree.body[0].body  # type: ignore[attr-defined]
    docstrings = {}
    for member, following in pairwise(members):
        target = member.target if isinstance(member, ast.AnnAssign) else None
        if isinstance(member, ast.Assign):
            (target,) = member.targets  # type: ignore[assignment]
        is_text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        if isinstance(target, ast.Name) and is_text:
            docstrings[target.id] = str(following.value.value)
    return docstrings


SECTIONS: Final[dict[str, Callable[[], str]]] = {
    "settings": build_settings_table,
    "errors": build_errors_table,
    "metrics": build_metrics_table,
    "alarms": build_alarms_table,
    "assets": build_assets_table,
    "actors": build_actors_table,
    "threats": build_threats_sections,
    "fuzz-targets": build_fuzz_table,
    "modules": build_modules_table,
    "layers": build_layers_picture,
    **{f"faults-{function}": lambda f=function: build_faults_tables(f) for function in PROMISES},  # type: ignore[misc]
}


def render_page(text: str) -> str:
    """Replace every generated section of a page; raise KeyError for an unknown section."""
    return _SECTION.sub(lambda found: found[1] + SECTIONS[found[2]]() + found[3], text)


def find_stale_pages() -> Iterator[tuple[Path, str]]:
    """Find the pages whose generated sections differ from the code, with their current text."""
    for page in list_pages():
        text = page.read_text("utf-8")
        if (current := render_page(text)) != text:
            yield page, current


def main() -> None:
    """Write the tables, or with ``--check`` fail and name the pages that are not current."""
    stale = list(find_stale_pages())
    if "--check" in sys.argv[1:]:
        if stale:
            names = ", ".join(page.relative_to(ROOT).as_posix() for page, _ in stale)
            sys.exit(f"{names}: generated tables are not current; run make docs")
        return
    for page, current in stale:
        page.write_text(current, "utf-8")
        print(f"wrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
