"""Check that a documented command is valid: targets, modules, options, routes and files.

Commands of the AWS CLI and SAM are checked by their local models, without a request to AWS.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Final

import botocore.exceptions
import botocore.session
from botocore import xform_name

from tools.docs.pages import ROOT, extract_commands

# Commands of the AWS CLI that are not operations of AWS.
_CLI_COMMANDS: Final = {
    *(("s3", "cp"), ("s3", "ls"), ("logs", "tail"), ("configure", "sso")),
}
_CLI_OPTIONS: Final = {
    *("endpoint-url", "region", "output", "query", "profile", "cli-binary-format", "help"),
    *("no-cli-pager", "cli-read-timeout"),
}


def find_aws_errors(words: list[str]) -> Iterator[str]:
    """Find the words after ``aws`` that the AWS CLI rejects."""
    bare = [word for word in words if not word.startswith("-")]
    if len(bare) < 2 or (bare[0], bare[1]) in _CLI_COMMANDS:
        return
    is_wait = bare[1] == "wait" and len(bare) > 2
    operation = _list_waiters(bare[0]).get(bare[2]) if is_wait else bare[1]
    options = _list_operations(bare[0]).get(operation) if operation else None
    if options is None:
        yield f"AWS has no {' '.join(bare[: 3 if is_wait else 2])}"
        return
    for word in words:
        name = word.removeprefix("--").partition("=")[0]
        if word.startswith("--") and name not in options | _CLI_OPTIONS:
            yield f"no option --{name}"


@cache
def _list_operations(service: str) -> dict[str, set[str]]:
    """List a service's operations by their names in the AWS CLI, each with its options."""
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


@cache
def _list_waiters(service: str) -> dict[str, str]:
    """List the waiters of ``aws SERVICE wait``, each with the operation that it calls."""
    session = botocore.session.get_session()
    try:
        waiters = session.get_waiter_model(service)
    except botocore.exceptions.UnknownServiceError:
        return {}
    return {
        xform_name(name, "-"): xform_name(waiters.get_waiter(name).operation, "-")
        for name in waiters.waiter_names
    }


def find_sam_errors(words: list[str]) -> Iterator[str]:
    """Find the words after ``sam`` that SAM rejects."""
    end = next((i for i, word in enumerate(words) if not re.fullmatch("[a-z][a-z-]*", word)), None)
    help_text = _read_sam_help(tuple(words[:end]))
    if help_text is None:
        yield f"SAM has no {' '.join(words[:end])}"
        return
    for name in (word.partition("=")[0] for word in words if word.startswith("--")):
        if not re.search(rf"(?<![\w-]){name}(?![\w-])", help_text):
            yield f"no option {name}"


@cache
def _read_sam_help(command: tuple[str, ...]) -> str | None:
    """Read the help of a SAM command; None if there is no such command."""
    arguments = [sys.executable, "-m", "samcli", *command, "--help"]
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0"}
    run = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    return run.stdout if run.returncode == 0 else None


_ASSIGNMENT: Final = re.compile(r"([A-Z]+)=")
_OUTPUT_FILE: Final = re.compile(r"(?:>|-o) *([\w.-]+)")


def find_command_errors(text: str) -> Iterator[str]:
    """Find the errors in a page's commands, one line each."""
    output_files = set(_OUTPUT_FILE.findall(text))
    for command in extract_commands(text):
        yield from (f"`{command}`: {error}" for error in _check_command(command, output_files))


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
    except ValueError:  # a quotation that continues on the next line
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
    """List the targets of the Makefile."""
    lines = re.findall(r"^([a-z][a-z -]*):(?!=)", _read_makefile(), re.MULTILINE)
    benches = {f"bench-{file.stem}" for file in (ROOT / "bench").glob("[a-z]*.py")}
    return frozenset(name for line in lines for name in line.split()) | benches


@cache
def list_make_variables() -> frozenset[str]:
    """List the variables that the Makefile reads."""
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
