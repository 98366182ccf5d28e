"""Reference tables in the documentation are generated from code (``make docs``)."""

from __future__ import annotations

import ast

from fuzz.targets import TARGETS
from tools.docs.reference import (
    PACKAGE,
    build_alarms_table,
    build_errors_table,
    build_fuzz_table,
    build_metrics_table,
    build_modules_table,
    build_settings_table,
    find_stale_pages,
    read_package_imports,
    render_page,
)
from waypost.api.workspace_settings import SettingsChange
from waypost.observability import Metric


def test_generated_tables_are_current() -> None:
    assert [page.name for page, _ in find_stale_pages()] == []


def test_settings_table_has_a_row_for_every_setting() -> None:
    table = build_settings_table()
    for name in SettingsChange.model_fields:
        assert table.count(f"| `{name}` |") == 1


def test_metrics_table_has_a_meaning_for_every_metric() -> None:
    rows = [line.split("|")[1:-1] for line in build_metrics_table().split("\n") if "`" in line]
    assert [name.strip(" `") for name, _, _ in rows] == [metric.value for metric in Metric]
    assert all(meaning.strip() for _, meaning, _ in rows)


def test_errors_table_has_a_status_for_every_error() -> None:
    tree = ast.parse((PACKAGE / "errors.py").read_text("utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.bases}
    table = build_errors_table()
    for name in names - {"WaypostError"}:
        assert f"| `{name}` |" in table


def test_fuzz_table_has_a_property_for_every_target() -> None:
    rows = [line.split("|")[1:-1] for line in build_fuzz_table().split("\n") if "`" in line]
    assert [name.strip(" `") for name, _ in rows] == [*TARGETS]
    assert all(meaning.strip() for _, meaning in rows)


def test_modules_table_has_every_module() -> None:
    table = build_modules_table()
    for path in PACKAGE.rglob("*.py"):
        if path.name != "__init__.py":
            assert f"`{path.relative_to(PACKAGE).as_posix()}`" in table


def test_package_imports_cover_the_layer() -> None:
    imports = read_package_imports()
    assert imports["errors"] == set()
    assert "repositories" in imports["tally"]


def test_a_section_between_its_comments_is_replaced() -> None:
    page = "# A\n\n<!-- generated: metrics -->\nold\n<!-- end -->\n\nText.\n"
    rendered = render_page(page)
    assert "old" not in rendered
    assert "`ClickRedirected`" in rendered
    assert rendered.endswith("<!-- end -->\n\nText.\n")
    assert render_page(rendered) == rendered


def test_every_alarm_has_a_runbook_entry() -> None:
    rows = [row for row in build_alarms_table().splitlines() if row.startswith("| `")]
    assert len(rows) > 20
    assert all("](runbook.md#" in row for row in rows)
