"""The check of docstrings, comments and Markdown finds prose that is hard to read."""

from __future__ import annotations

import pytest

from tools.prose import check_markdown, check_python


@pytest.mark.parametrize(
    "source",
    [
        '"""Reads a row an' + 'ew."""\n',
        "x = 1  # no" + "body reads it\n",
        'def f():\n    """Load.\n\n    The batch is giv' + 'en back.\n    """\n',
        'class A:\n    """Wh' + 'at a class is."""\n',
    ],
)
def test_hard_prose_in_python_is_reported_with_its_line(source: str) -> None:
    assert [finding.line for finding in check_python(source)]


def test_line_of_a_word_inside_a_docstring_is_its_own() -> None:
    source = 'def f():\n    """Load.\n\n    The batch is giv' + 'en back.\n    """\n'
    assert [finding.line for finding in check_python(source)] == [4]


def test_strings_and_plain_prose_are_not_reported() -> None:
    source = '"""Load rows."""\nx = "no' + "body\"  # a person's name in a test\n"
    assert list(check_python(source)) == []


def test_long_markdown_lines_are_reported_outside_tables_and_code() -> None:
    long = "word " * 30
    page = f"# A\n\n{long}\n\n| {long} |\n\n```text\n{long}\n```\n"
    assert [finding.line for finding in check_markdown(page)] == [3]


def test_words_in_markdown_code_blocks_are_not_reported() -> None:
    page = "Clicks to" + "ld twice.\n\n```text\nto" + "ld\n```\n"
    assert [finding.line for finding in check_markdown(page)] == [1]
