"""Deploy the stack to MiniStack, test it there, and compare with the known differences.

    make emulate    build, deploy, smoke test, second deploy, outage, deletion, deploy
    make emulator   install MiniStack, start it once and stop it

The exit code is 1 if a line says that a difference is new, or that a known one did not occur, and 2
if the emulator is not available or a deploy fails.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

from tools import cli
from tools.cli import EXIT_DONE, EXIT_INCOMPLETE
from tools.emulator import deployment
from tools.emulator.differences import compare_results, load_differences
from tools.emulator.journey import AFTER_SMOKE, BEFORE_SMOKE, Journey
from tools.emulator.server import run_emulator
from tools.smoke import StepResult, run_steps
from tools.smoke_steps import STEPS


def main(arguments: list[str] | None = None) -> int:
    """Run the journey; return 1 for a difference that is not as listed.

    :raises ServerUnavailable: when the emulator does not start.
    :raises DeployFailed: when SAM fails.
    """
    options = _parse_options(arguments)
    signal.signal(signal.SIGTERM, _exit)
    began = time.monotonic()
    if options.start:
        with run_emulator():
            return EXIT_DONE
    deployment.LOG_FILE.unlink(missing_ok=True)
    deployment.build_stack()
    with run_emulator() as port:
        journey = Journey(port)
        os.environ.update(deployment.build_root_environment(journey.url))
        results = list(_run_journey(journey))
    problems = list(compare_results(results, load_differences()))
    for problem in problems:
        print(problem)
    print(f"{len(results)} steps in {time.monotonic() - began:.0f} s")
    return EXIT_INCOMPLETE if problems else EXIT_DONE


def _run_journey(journey: Journey) -> Iterator[StepResult]:
    yield from run_steps(BEFORE_SMOKE, journey)
    yield from run_steps(STEPS, journey.create_smoke_test())
    yield from run_steps(AFTER_SMOKE, journey)


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.emulator",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--start", action="store_true", help="start the emulator, and stop it")
    return parser.parse_args(arguments)


def _exit(_number: int, _frame: FrameType | None) -> None:
    """End through the ``with`` blocks, which stop the emulator."""
    sys.exit(cli.EXIT_FAILED)


if __name__ == "__main__":
    cli.run_command(main)
