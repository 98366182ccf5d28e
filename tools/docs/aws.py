"""What the AWS CLI and SAM know, by their own models: nothing is asked of AWS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Final

import botocore.exceptions
import botocore.session
from botocore import xform_name

# What the AWS CLI adds to the operations of AWS.
_CLI_COMMANDS: Final = {
    *(("s3", "cp"), ("s3", "ls"), ("logs", "tail"), ("configure", "sso")),
}
_CLI_OPTIONS: Final = {
    *("endpoint-url", "region", "output", "query", "profile", "cli-binary-format", "help"),
    *("no-cli-pager", "cli-read-timeout"),
}


def find_aws_errors(words: list[str]) -> Iterator[str]:
    """What the AWS CLI would refuse of the words after ``aws``."""
    bare = [word for word in words if not word.startswith("-")]
    if len(bare) < 2 or (bare[0], bare[1]) in _CLI_COMMANDS:
        return
    waits = bare[1] == "wait" and len(bare) > 2
    asked = _list_waiters(bare[0]).get(bare[2]) if waits else bare[1]
    known = _list_operations(bare[0]).get(asked) if asked else None
    if known is None:
        yield f"AWS has no {' '.join(bare[: 3 if waits else 2])}"
        return
    for word in words:
        name = word.removeprefix("--").partition("=")[0]
        if word.startswith("--") and name not in known | _CLI_OPTIONS:
            yield f"no option --{name}"


@cache
def _list_operations(service: str) -> dict[str, set[str]]:
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


@cache
def _list_waiters(service: str) -> dict[str, str]:
    """What ``aws SERVICE wait`` can wait for, each with the operation that it asks."""
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
    """What SAM would refuse of the words after ``sam``."""
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
    """What a command of SAM says of itself; None where there is none."""
    asked = [sys.executable, "-m", "samcli", *command, "--help"]
    quiet = os.environ | {"SAM_CLI_TELEMETRY": "0"}
    run = subprocess.run(asked, capture_output=True, text=True, check=False, env=quiet)
    return run.stdout if run.returncode == 0 else None
