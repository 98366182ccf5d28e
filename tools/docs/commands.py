"""Whether a command can be typed as it stands: targets, modules, options, routes, files."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Final

from tools.docs.aws import wrong_aws, wrong_sam
from tools.docs.pages import ROOT, commands

_ASSIGNED: Final = re.compile(r"([A-Z]+)=")
_WRITTEN: Final = re.compile(r"(?:>|-o) *([\w.-]+)")


def wrong_commands(text: str) -> Iterator[str]:
    """What is wrong with the commands of a page, a line each."""
    written = set(_WRITTEN.findall(text))
    for command in commands(text):
        yield from (f"`{command}`: {wrong}" for wrong in _wrong_command(command, written))


def _wrong_command(command: str, written: set[str]) -> Iterator[str]:
    words = _words(command)
    match words[0]:
        case "make":
            yield from _wrong_make(words[1:])
        case "python":
            if importlib.util.find_spec(words[2]) is None:
                yield f"no module {words[2]}"
        case "aws":
            yield from wrong_aws(words[1:])
        case "sam":
            yield from wrong_sam(words[1:])
        case _:
            yield from _wrong_curl(words[1:], written)


def _words(command: str) -> list[str]:
    text = re.split(r"\s+#\s|\s[|>]\s|\s&&\s|;\s", command)[0]
    try:
        return shlex.split(text)
    except ValueError:  # a quotation that goes on over the next line
        return text.split()


def _wrong_make(words: list[str]) -> Iterator[str]:
    for word in words:
        assigned = _ASSIGNED.match(word)
        if assigned and assigned[1] not in variables():
            yield f"no variable {assigned[1]}"
        elif re.fullmatch(r"[a-z][a-z-]*", word) and word not in targets():
            yield f"no target {word}"


@cache
def targets() -> frozenset[str]:
    """What ``make`` can be asked for."""
    lines = re.findall(r"^([a-z][a-z -]*):(?!=)", _makefile(), re.MULTILINE)
    benches = {f"bench-{file.stem}" for file in (ROOT / "bench").glob("[a-z]*.py")}
    return frozenset(name for line in lines for name in line.split()) | benches


@cache
def variables() -> frozenset[str]:
    """What ``make`` can be told."""
    return frozenset(re.findall(r"\$\((?:or \$\(|call [a-z-]+,)?([A-Z]+)", _makefile()))


def _makefile() -> str:
    return (ROOT / "Makefile").read_text(encoding="utf-8")


def _wrong_curl(words: list[str], written: set[str]) -> Iterator[str]:
    for word in words:
        if word.startswith("@") and word[1:] not in written and not (ROOT / word[1:]).exists():
            yield f"{word[1:]} does not exist"
        route = re.match(r"(?:http://)?(?:localhost|127\.0\.0\.1):8080(/v1/[^?]*)", word)
        if route and not any(known.fullmatch(route[1]) for known in _routes()):
            yield f"no route {route[1]}"


@cache
def _routes() -> tuple[re.Pattern[str], ...]:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    paths = re.findall(r"\bPath: *\"?(/[^\s\"]*)", template)
    escaped = (re.sub(r"\\\{[^}]*\\\+\\\}", ".+", re.escape(path)) for path in paths)
    return tuple(re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", path)) for path in escaped)
