"""Write rows as CSV (RFC 4180) whose texts no spreadsheet evaluates as formulas.

Names of people come from outside: ``=HYPERLINK(…)`` in a file that a colleague opens runs with the
colleague's rights. As OWASP recommends, a text that begins like a formula gets an apostrophe in
front; NDJSON exports stay verbatim. Numbers, also negative ones, stay numbers.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

_FORMULA_STARTS: Final = frozenset("=+-@")
_LEADING_BREAKS: Final = frozenset("\t\r\n")
_QUOTES: Final = frozenset("\"'‘’“”")
_IGNORED_CATEGORIES: Final = frozenset("ZC")
"""Unicode's separators, and its control and format characters: spreadsheets trim some of them."""
_QUOTED_CHARACTERS: Final = frozenset('",;\t\r\n')
"""Characters of a text in quotation marks: also the separators of other locales, since some
spreadsheets split a file at semicolons or tabs, and what follows would begin a cell.
"""


def format_csv(rows: Iterable[Iterable[str | float | None]]) -> str:
    """Format rows of two or more cells, each with a line end; None is an empty cell."""
    return "".join(",".join(map(_format_cell, row)) + "\r\n" for row in rows)


def _format_cell(value: str | float | None) -> str:
    if not isinstance(value, str):
        return "" if value is None else str(value)
    text = f"'{value}" if _begins_formula(value) else value
    if _QUOTED_CHARACTERS.isdisjoint(text):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _begins_formula(text: str) -> bool:
    """Check the first character that a spreadsheet does not ignore, in any width (NFKC)."""
    for character in text:
        if character in _LEADING_BREAKS:
            return True
        plain = unicodedata.normalize("NFKC", character)
        if plain not in _QUOTES and unicodedata.category(character)[0] not in _IGNORED_CATEGORIES:
            return plain in _FORMULA_STARTS
    return False
