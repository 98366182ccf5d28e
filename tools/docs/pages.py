"""List the pages of the docs, and extract their code blocks and commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_PAGES: Final = ("*.md", "docs/**/*.md", "events/*.md", "tests/**/*.md")

_PROGRAMS: Final = r"make|python -m|aws|sam|curl"
_COMMAND: Final = re.compile(rf"^\s*(?:\$ )?((?:{_PROGRAMS}) .*)$", re.MULTILINE)
_INLINE: Final = re.compile(rf"`((?:{_PROGRAMS}) [^`\n]+)`")
_FENCE: Final = re.compile(r"^(```+)([^\n]*)\n(.*?)^\1", re.MULTILINE | re.DOTALL)
_SHELL: Final = {"", "bash", "console", "http", "sh"}
_INDENTED: Final = re.compile(r"(?:^    .*\n?)+", re.MULTILINE)


def list_pages() -> list[Path]:
    """List all pages of the project."""
    return sorted(page for pattern in _PAGES for page in ROOT.glob(pattern))


def extract_code_blocks(text: str) -> list[str]:
    """Extract the code blocks that may be shell commands, indented ones included."""
    fenced = [(found.start(), found[3]) for found in _FENCE.finditer(text) if found[2] in _SHELL]
    indented = [(found.start(), found[0]) for found in _INDENTED.finditer(_blank_fences(text))]
    return [body for _, body in sorted(fenced + indented)]


def extract_commands(text: str) -> list[str]:
    """Extract the commands of a page, from code blocks and inline code."""
    joined = "\n".join(extract_code_blocks(text)).replace("\\\n", " ")
    named = [*_COMMAND.findall(joined), *_INLINE.findall(_blank_fences(text))]
    return [found.strip() for found in named]


def _blank_fences(text: str) -> str:
    """Replace fenced blocks by spaces, so that the other text keeps its position."""
    return _FENCE.sub(lambda found: re.sub(r"[^\n]", "", found[0]).ljust(len(found[0])), text)
