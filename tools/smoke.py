"""Test a deployed stack from rewriting to the report, with one line for each step.

    make smoke ENV=us                        the stack that samconfig.toml names
    make smoke BASE=http://127.0.0.1:8080    an embedded stack (make serve)
    make smoke BASE=https://….execute-api.us-east-1.amazonaws.com    by its ManagementUrl

Requests to AWS are signed with the operator's credentials. The test rewrites an e-mail and a text
message in the workspace ``smoke`` and clicks their links. Its clicks expire with the stack's
retention. It removes the tracking domain, the queue and the event rule that it adds. The exit code
is 1 if a line says FAIL, and 2 if no stack answers.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, TypeVar

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from tools import cli
from tools.event_subscription import SubscriptionRefused
from tools.management_api import ApiError, ApiUnreachable, ManagementApi
from tools.smoke_steps import STEPS, SmokeTest, StepFailed, StepSkipped
from tools.stack import DeployedStack, EmbeddedStackClient, find_stack

_STEP_ERRORS: Final = (
    *(StepFailed, SubscriptionRefused, ApiError, LookupError, ValueError),
    *(BotoCoreError, ClientError, urllib3.exceptions.HTTPError),
)


_Subject = TypeVar("_Subject")


@dataclass(frozen=True, slots=True)
class StepResult:
    """The result of a step, and its observation or the reason."""

    step: str
    label: Literal["ok", "skip", "FAIL"]
    text: str

    def __str__(self) -> str:
        return f"{self.label:4}  {self.step:13} {self.text}"


def main(arguments: list[str] | None = None) -> int:
    """Run every step; return 1 if one failed.

    :raises ApiUnreachable: when the first step finds no stack.
    """
    options = _parse_options(arguments)
    with urllib3.PoolManager(retries=False, timeout=35) as http:
        api = ManagementApi.from_options(options.env, options.base)
        stack = partial(_find_stack, api, options)
        name = f"smoke-{time.time_ns() // 1_000_000}"
        smoke_test = SmokeTest(api, http, name, options.patience, stack)
        return int("FAIL" in [result.label for result in run_steps(STEPS, smoke_test)])


def run_steps(
    steps: Iterable[Callable[[_Subject], str]], subject: _Subject
) -> Iterator[StepResult]:
    """Run each step, print its line and yield its result.

    :raises ApiUnreachable: when the first step finds no stack.
    """
    for number, step in enumerate(steps):
        result = _run_step(step, subject, is_first=number == 0)
        print(result, flush=True)
        yield result


def _find_stack(
    api: ManagementApi, options: argparse.Namespace
) -> DeployedStack | EmbeddedStackClient | None:
    """Return None if the address on AWS is all that is known of the stack."""
    return None if options.base and api.region else find_stack(options.env, options.base)


def _run_step(step: Callable[[_Subject], str], subject: _Subject, *, is_first: bool) -> StepResult:
    name = step.__name__.replace("_", " ")
    try:
        return StepResult(name, "ok", step(subject))
    except StepSkipped as reason:
        return StepResult(name, "skip", str(reason))
    except ApiUnreachable as reason:
        if is_first:
            raise
        return StepResult(name, "FAIL", str(reason))
    except _STEP_ERRORS as reason:
        return StepResult(name, "FAIL", f"{type(reason).__name__}: {reason}")


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = cli.build_parser("smoke", __doc__)
    parser.add_argument("--patience", type=float, default=60, help="seconds that counting may take")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    cli.run_command(main)
