"""Test that docs/rewriting.md has every field, channel and kind of a request."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from waypost.rewrite.schemas import MessageContent, RewriteRecipient, RewriteRequest
from waypost.rewrite.service import RewriteResponse
from waypost.rewrite_files.schemas import FileReport, FileRequest

PAGE = (Path(__file__).parents[3] / "docs" / "rewriting.md").read_text(encoding="utf-8")
TABLES = re.findall(
    r"^\| field \| meaning \| default \|\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE
)


def rows(table: str) -> dict[str, tuple[str, str]]:
    """Return meaning and default by field."""
    cells = [[cell.strip() for cell in line.split(" | ")] for line in table.splitlines()]
    return {
        name: (meaning, default.removesuffix("|").strip())
        for names, meaning, default in cells
        for name in re.findall(r"`(\w+)`", names)
    }


def fields(model: type[BaseModel]) -> dict[str, object]:
    """Return defaults by the request's field name."""
    return {
        field.alias or name: "required" if field.is_required() else field.default
        for name, field in model.model_fields.items()
    }


@pytest.mark.parametrize(
    ("table", "model"), list(zip(TABLES, (RewriteRequest, FileRequest), strict=True))
)
def test_the_table_has_the_fields_of_the_request_and_their_defaults(
    table: str, model: type[BaseModel]
):
    told, known = rows(table), fields(model)
    assert set(told) == set(known)
    for name, default in known.items():
        if default == "required":
            assert told[name][1] == "required"
        elif isinstance(default, bool):
            assert told[name][1] == f"`{str(default).lower()}`"
        elif isinstance(default, str):
            assert told[name][1] == f"`{default}`"
        else:
            assert told[name][1] not in ("required", "")


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("kind", typing.get_args(RewriteRequest.model_fields["kind"].annotation)),
        ("channel", typing.get_args(RewriteRequest.model_fields["channel"].annotation)),
        ("content", MessageContent.model_fields),
        ("recipients", RewriteRecipient.model_fields),
    ],
)
def test_table_lists_the_values_of_a_field(field: str, names: typing.Iterable[str]):
    meaning, _ = rows(TABLES[0])[field]
    assert all(f"`{name}`" in meaning for name in names)


@pytest.mark.parametrize("answer", [RewriteResponse, FileReport])
def test_the_page_has_every_member_of_an_answer(answer: type):
    for name in typing.get_type_hints(answer):
        assert f'"{name}"' in PAGE or f"`{name}`" in PAGE
