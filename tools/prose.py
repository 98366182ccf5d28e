"""Finds prose that is hard to read, in docstrings, comments and Markdown: ``make check-code``.

    python -m tools.prose

Reports words of the project's former private dialect, docstrings that begin with a relative
pronoun instead of a verb or a noun, and Markdown lines over 120 columns. Tables, images and link
definitions may be longer, since Markdown cannot wrap them.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
MAX_COLUMNS: Final = 120
_BANNED: Final = re.compile(
    r"\b(anew|mend(?:s|ed|ing)?|told|nobody|somebody|whoever|whomever|of ours|of theirs|of its own"
    r"|is none|are none|given back|come home|for want of|neither may|nor must|it is we who)\b",
    re.IGNORECASE,
)
_PRONOUN: Final = re.compile(r"(What|Where|Whether|Who|Whose|Whom|Which|Whatever|Whoever)\b")
_UNWRAPPABLE: Final = ("|", "!", "[")


class Finding(NamedTuple):
    """A line of a file and the problem with it."""

    line: int
    problem: str


def check_python(source: str) -> Iterator[Finding]:
    """Check the docstrings and comments of a module."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        docstring = ast.get_docstring(node)
        if docstring is None:
            continue
        line = node.body[0].lineno
        if found := _PRONOUN.match(docstring):
            yield Finding(line, f"docstring begins with {found[0]!r}; begin with a verb or a noun")
        yield from _find_banned_words(line, docstring)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield from _find_banned_words(token.start[0], token.string)


def check_markdown(text: str) -> Iterator[Finding]:
    """Check the lines of a page outside code blocks."""
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        is_code ^= line.startswith("```")
        if is_code:
            continue
        yield from _find_banned_words(number, line)
        if len(line) > MAX_COLUMNS and not line.startswith(_UNWRAPPABLE):
            yield Finding(number, f"{len(line)} columns; wrap at {MAX_COLUMNS}")


def _find_banned_words(line: int, text: str) -> Iterator[Finding]:
    for found in _BANNED.finditer(text):
        yield Finding(line + text.count("\n", 0, found.start()), f"{found[0]!r}: use a plain word")


def check_files(root: Path) -> Iterator[str]:
    """Check every Python and Markdown file that git tracks; yield ``file:line: problem``."""
    listing = subprocess.run(
        ["git", "ls-files", "*.py", "*.md"], cwd=root, capture_output=True, text=True, check=True
    )
    for name in listing.stdout.splitlines():
        path = root / name
        if not path.exists():
            continue
        check = check_python if path.suffix == ".py" else check_markdown
        for finding in check(path.read_text("utf-8")):
            yield f"{name}:{finding.line}: {finding.problem}"


def main() -> None:
    """Print every finding, and fail if there is one."""
    findings = list(check_files(ROOT))
    if findings:
        sys.exit("\n".join(findings))


if __name__ == "__main__":
    main()
