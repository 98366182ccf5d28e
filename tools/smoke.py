"""Tries a deployed stack out, from rewriting to the report, and says what it saw line by line.

    make smoke ENV=us                        the stack that samconfig.toml names
    make smoke BASE=http://127.0.0.1:8080    an embedded stack (make serve)
    make smoke BASE=https://….execute-api.us-east-1.amazonaws.com    by its ManagementUrl

Requests to AWS are signed by whoever runs it. What it makes is one message, to nobody, with a click
or two, in the workspace ``smoke``, which are forgotten after the stack's retention; the tracking
domain that it adds is removed again. Exit status 1 where a line says FAIL, 2 where no
stack answers.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import urllib3

from tools import cli
from tools.management_api import ApiError, ApiUnreachable, ManagementApi
from tools.smoke_steps import STEPS, SmokeTest, StepFailed, StepSkipped


def main(arguments: list[str] | None = None) -> int:
    """Take every step; 1 where one failed. Raises Unreachable where the first finds no stack."""
    options = _parse_options(arguments)
    with urllib3.PoolManager(retries=False, timeout=35) as http:
        api = ManagementApi.from_options(options.env, options.base)
        run = SmokeTest(api, http, f"smoke-{time.time_ns() // 1_000_000}", options.patience)
        return max([_run_step(step, run) for step in STEPS])


def _run_step(step: Callable[[SmokeTest], str], smoke_test: SmokeTest) -> int:
    name = step.__name__.replace("_", " ")
    try:
        word, said = "ok  ", step(smoke_test)
    except StepSkipped as reason:
        word, said = "skip", str(reason)
    except ApiUnreachable as reason:
        if step is STEPS[0]:
            raise
        word, said = "FAIL", str(reason)
    except (StepFailed, ApiError, urllib3.exceptions.HTTPError, LookupError, ValueError) as reason:
        word, said = "FAIL", f"{type(reason).__name__}: {reason}"
    print(f"{word}  {name:13} {said}", flush=True)
    return int(word == "FAIL")


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = cli.build_parser("smoke", __doc__)
    parser.add_argument("--patience", type=float, default=60, help="seconds that counting may take")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    cli.run_command(main)
