"""Fuzz, guided by coverage; the corpus stays in build/fuzz between runs.

    python -m fuzz SECONDS           all targets, SECONDS each, in parallel; prints a line for each
    python -m fuzz SECONDS TARGET    one target, with the fuzzer's output

With SEED in the environment, the fuzzer draws the same random numbers in each run.

Exit status 1 if a target fails. build/fuzz then has the input and the output (TARGET.log).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Final, NoReturn

import atheris

from fuzz.output import describe_output

# Instrumented code compiles in 10 seconds. So all targets share one process until they fork. Each
# module would be a line of output.
with (
    redirect_stderr(StringIO()),
    atheris.instrument_imports(include=["waypost", "liquid", "email", "html"]),
):
    from fuzz.targets import TARGETS

FOLDER: Final = Path(__file__).parents[1] / "build" / "fuzz"
MAX_INPUT_BYTES: Final = 8_192
MAX_SECONDS_PER_INPUT: Final = 10
"""An input takes milliseconds, even on a busy machine; one that takes this long hangs."""
MAX_MEGABYTES: Final = 1_024
"""The memory of Waypost's functions in Lambda."""


def fuzz_target(name: str, seconds: str) -> NoReturn:
    """Fuzz one target; the fuzzer ends the process."""
    target, corpus = TARGETS[name], FOLDER / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "max_len": MAX_INPUT_BYTES,
        "timeout": MAX_SECONDS_PER_INPUT,
        "rss_limit_mb": MAX_MEGABYTES,
        "artifact_prefix": f"{FOLDER}/{name}-",
        "seed": os.environ.get("SEED") or "0",  # 0: another one for each run
    }
    arguments = (f"-{option}={value}" for option, value in options.items())
    atheris.Setup(["fuzz", *arguments, str(corpus)], target.run)
    atheris.Fuzz()
    raise AssertionError("the fuzzer returned")


def fuzz_all_targets(seconds: str) -> Iterator[bool]:
    """Fuzz all targets, each in its own process; yield True for each one that holds."""
    waiting, running = [*TARGETS], dict[int, str]()
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            name = waiting.pop(0)
            running[_fork_fuzzer(name, seconds)] = name
        process, status = os.wait()
        name, holds = running.pop(process), status == 0
        output = _get_log(name).read_text("utf-8", errors="replace")
        print(f"{name:15} {describe_output(output, holds=holds)}", flush=True)
        yield holds


def _fork_fuzzer(name: str, seconds: str) -> int:
    """Start a process that fuzzes a target; return its id."""
    process = os.fork()
    if process:
        return process
    log = os.open(_get_log(name), os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    fuzz_target(name, seconds)


def _get_log(name: str) -> Path:
    return FOLDER / f"{name}.log"


def main(seconds: str, name: str = "") -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    if name in TARGETS:
        fuzz_target(name, seconds)
    if name:
        sys.exit(f"TARGET: unknown ({name}); choose one of {', '.join(TARGETS)}")
    failures = [*fuzz_all_targets(seconds)].count(False)
    if failures:
        sys.exit(f"{failures} targets failed; {FOLDER} has their output and the inputs")


if __name__ == "__main__":
    main(*sys.argv[1:])
