"""Checks what pages tell readers to do, without doing it.

    python -m tools.docs        names every command, link and file of a page that does not exist

A page may name targets of the Makefile, modules after ``python -m``, operations and options of AWS
after ``aws`` (as botocore knows them), files, routes and files after ``curl``, and other pages.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import botocore.session
from botocore import xform_name

ROOT = Path(__file__).parent.parent
PAGES = ("*.md", "docs/**/*.md", "events/*.md", "tests/**/*.md")

_COMMAND = re.compile(r"^\s*(?:\$ )?((?:make|python -m|aws|curl) .*)$", re.MULTILINE)
_INLINE = re.compile(r"`((?:make|python -m|aws|curl) [^`\n]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```+)([^\n]*)\n(.*?)^\1", re.MULTILINE | re.DOTALL)
_SHELL = {"", "bash", "console", "sh"}
_INDENTED = re.compile(r"(?:^    .*\n?)+", re.MULTILINE)
_FILE = re.compile(
    r"(?<![\w/.…@-])(?:bench|docs|events|functions|layers|local|tests|tools)/[\w./-]+"
    r"\.(?:csv|html|json|lock|md|mk|py|toml|yaml)\b"
)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
# What the AWS CLI adds to the operations of AWS.
_CLI_ONLY = {("s3", "cp"), ("s3", "ls"), ("logs", "tail"), ("lambda", "wait"), ("configure", "sso")}
_CLI_OPTIONS = {"endpoint-url", "region", "output", "query", "profile", "cli-binary-format", "help"}
_CLI_OPTIONS |= {"no-cli-pager", "cli-read-timeout"}


def problems(page: Path) -> Iterator[str]:
    """What is wrong with a page, a line each."""
    text = page.read_text(encoding="utf-8")
    for command in commands(text):
        yield from (f"`{command}`: {wrong}" for wrong in _wrong_command(command))
    for link in filter(None, (one for found in _LINK.findall(text) for one in found)):
        if wrong := _wrong_link(page, link):
            yield f"link to {link}: {wrong}"
    for name in sorted(set(_FILE.findall(text))):
        if not (ROOT / name).exists():
            yield f"{name} does not exist"


def commands(text: str) -> list[str]:
    """The commands of a page, from its code blocks and from code in its prose."""
    fenced = [body for _, language, body in _FENCE.findall(text) if language in _SHELL]
    prose = _FENCE.sub("", text)
    blocks = "\n".join([*fenced, *_INDENTED.findall(prose)]).replace("\\\n", " ")
    return [found.strip() for found in [*_COMMAND.findall(blocks), *_INLINE.findall(prose)]]


def _wrong_command(command: str) -> Iterator[str]:
    words = _words(command)
    match words[0]:
        case "make":
            named = [word for word in words[1:] if re.fullmatch(r"[a-z][a-z-]*", word)]
            yield from (f"no target {name}" for name in named if name not in targets())
        case "python":
            if importlib.util.find_spec(words[2]) is None:
                yield f"no module {words[2]}"
        case "aws":
            yield from _wrong_aws(words[1:])
        case _:
            yield from _wrong_curl(words[1:])


def _words(command: str) -> list[str]:
    text = re.split(r"\s+#\s|\s[|>]\s|\s&&\s|;\s", command)[0]
    try:
        return shlex.split(text)
    except ValueError:  # a quotation that goes on over the next line
        return text.split()


@cache
def targets() -> frozenset[str]:
    """What ``make`` can be asked for."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lines = re.findall(r"^([a-z][a-z -]*):(?!=)", makefile, re.MULTILINE)
    benches = {f"bench-{file.stem}" for file in (ROOT / "bench").glob("[a-z]*.py")}
    return frozenset(name for line in lines for name in line.split()) | benches


def _wrong_aws(words: list[str]) -> Iterator[str]:
    bare = [word for word in words if not word.startswith("-")]
    if len(bare) < 2 or (bare[0], bare[1]) in _CLI_ONLY:
        return
    known = _operations(bare[0])
    if bare[1] not in known:
        yield f"AWS has no {bare[0]} {bare[1]}"
        return
    for word in words:
        name = word.removeprefix("--").partition("=")[0]
        if word.startswith("--") and name not in known[bare[1]] | _CLI_OPTIONS:
            yield f"no option --{name}"


@cache
def _operations(service: str) -> dict[str, set[str]]:
    """The operations of a service as the AWS CLI names them, each with its options."""
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return {}
    model = session.get_service_model(service)
    known = {}
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        members = {xform_name(member, "-") for member in shape.members} if shape else set()
        known[xform_name(name, "-")] = members | {f"no-{member}" for member in members}
    return known


def _wrong_curl(words: list[str]) -> Iterator[str]:
    for word in words:
        if word.startswith("@") and not (ROOT / word[1:]).exists():
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


def _wrong_link(page: Path, link: str) -> str | None:
    if re.match(r"[a-z]+:", link):
        return None
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return "does not exist"
    if anchor and anchor not in _anchors(target.read_text(encoding="utf-8")):
        return "no such heading"
    return None


def _anchors(text: str) -> set[str]:
    headings = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.strip().replace(" ", "-") for heading in headings}


def pages() -> list[Path]:
    """All pages of the project."""
    return sorted(page for pattern in PAGES for page in ROOT.glob(pattern))


def main() -> None:
    found = [f"{page.relative_to(ROOT)}: {wrong}" for page in pages() for wrong in problems(page)]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
