"""Whether a command can be typed as it stands: targets, modules, options, routes, files."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Final

from tools.docs.aws import find_aws_errors, find_sam_errors
from tools.docs.pages import ROOT, extract_commands

_ASSIGNMENT: Final = re.compile(r"([A-Z]+)=")
_OUTPUT_FILE: Final = re.compile(r"(?:>|-o) *([\w.-]+)")


def find_command_errors(text: str) -> Iterator[str]:
    """What is wrong with the commands of a page, a line each."""
    written = set(_OUTPUT_FILE.findall(text))
    for command in extract_commands(text):
        yield from (f"`{command}`: {wrong}" for wrong in _check_command(command, written))


def _check_command(command: str, output_files: set[str]) -> Iterator[str]:
    words = _split_words(command)
    match words[0]:
        case "make":
            yield from _check_make(words[1:])
        case "python":
            if importlib.util.find_spec(words[2]) is None:
                yield f"no module {words[2]}"
        case "aws":
            yield from find_aws_errors(words[1:])
        case "sam":
            yield from find_sam_errors(words[1:])
        case _:
            yield from _check_curl(words[1:], output_files)


def _split_words(command: str) -> list[str]:
    text = re.split(r"\s+#\s|\s[|>]\s|\s&&\s|;\s", command)[0]
    try:
        return shlex.split(text)
    except ValueError:  # a quotation that goes on over the next line
        return text.split()


def _check_make(words: list[str]) -> Iterator[str]:
    for word in words:
        assigned = _ASSIGNMENT.match(word)
        if assigned and assigned[1] not in list_make_variables():
            yield f"no variable {assigned[1]}"
        elif re.fullmatch(r"[a-z][a-z-]*", word) and word not in list_make_targets():
            yield f"no target {word}"


@cache
def list_make_targets() -> frozenset[str]:
    """What ``make`` can be asked for."""
    lines = re.findall(r"^([a-z][a-z -]*):(?!=)", _read_makefile(), re.MULTILINE)
    benches = {f"bench-{file.stem}" for file in (ROOT / "bench").glob("[a-z]*.py")}
    return frozenset(name for line in lines for name in line.split()) | benches


@cache
def list_make_variables() -> frozenset[str]:
    """What ``make`` can be told."""
    return frozenset(re.findall(r"\$\((?:or \$\(|call [a-z-]+,)?([A-Z]+)", _read_makefile()))


def _read_makefile() -> str:
    return (ROOT / "Makefile").read_text(encoding="utf-8")


def _check_curl(words: list[str], output_files: set[str]) -> Iterator[str]:
    for word in words:
        if word.startswith("@") and word[1:] not in output_files and not (ROOT / word[1:]).exists():
            yield f"{word[1:]} does not exist"
        route = re.match(r"(?:http://)?(?:localhost|127\.0\.0\.1):8080(/v1/[^?]*)", word)
        if route and not any(known.fullmatch(route[1]) for known in _load_route_patterns()):
            yield f"no route {route[1]}"


@cache
def _load_route_patterns() -> tuple[re.Pattern[str], ...]:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    paths = re.findall(r"\bPath: *\"?(/[^\s\"]*)", template)
    escaped = (re.sub(r"\\\{[^}]*\\\+\\\}", ".+", re.escape(path)) for path in paths)
    return tuple(re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", path)) for path in escaped)
