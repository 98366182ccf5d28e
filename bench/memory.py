"""Measure the memory that each function needs for its largest input.

    python -m bench.memory [RewriteFunction …]

Functions are built as `sam build` does, for this machine, and run by awslambdaric in the embedded
stack. The figure is the process's peak resident memory (VmHWM) from its start to its response;
Lambda also counts some memory around the process. The figures are nearest to Lambda's with its
Python version: make bench-memory VENV=build/python3.13
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from samcli.yamlhelper import yaml_dump, yaml_parse

from bench.workloads import WORKLOADS, BenchStack
from local.stack import EmbeddedStack

ROOT: Final = Path(__file__).parents[1]
BUILD: Final = ROOT / "build/bench/memory"
BUCKET: Final = "bench-files"


def main() -> None:
    """Print a table of functions: the input, and MB before and after it."""
    processor = platform.machine()
    print(f"Python {platform.python_version()}, {processor}; peak resident memory in MB\n")
    print("| function | given | once started | at its peak |\n|---|---|---|---|")
    with EmbeddedStack(
        build_template(), parameters={"FilesBucket": BUCKET}, preload=False
    ) as stack:
        stack.cloud.client("s3").create_bucket(Bucket=BUCKET)
        bench = BenchStack(stack, BUCKET)
        chosen = [case for case in WORKLOADS if case[0] in sys.argv[1:] or len(sys.argv) == 1]
        for function, given, light, heavy in chosen:
            stack.recycle(function)
            light(bench)
            started = measure_peak(function)
            heavy(bench)
            reached = measure_peak(function)
            print(f"| {function} | {given} | {started:.0f} | {reached:.0f} |", flush=True)


def build_template() -> Path:
    """Build the template's artefacts for this Python and this processor."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    runtime = {"RUNTIME": version, "RUNTIME_PYTHON": sys.executable, "PLATFORMS": ""}
    template = ["--template", str(ROOT / "template.yaml"), "--build-dir", str(BUILD)]
    subprocess.run(
        [sys.executable, "-m", "samcli", "build", "--no-cached", *template],
        env=os.environ | runtime | {"PYTHON": sys.executable, "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        check=True,
    )
    plan = yaml_parse((BUILD / "template.yaml").read_text())
    plan["Resources"]["WaypostLayer"]["Properties"]["ContentUri"] += "/python"
    artefacts = BUILD / "artefacts.yaml"
    artefacts.write_text(yaml_dump(plan))
    return artefacts


def measure_peak(function: str) -> float:
    """Measure the peak memory of a function's processes, in MB of 1,048,576 bytes."""
    return max(_read_peak(process) for process in _find_processes(function)) / 1024


def _find_processes(function: str) -> Iterator[Path]:
    """Find a function's processes by the function name in their environment."""
    name = function.removesuffix("Function").lower().replace("verifydomains", "verify-domains")
    wanted = f"AWS_LAMBDA_FUNCTION_NAME=waypost-local-{name}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                yield folder
        except OSError:  # the process has ended, or belongs to another user
            continue


def _read_peak(process: Path) -> int:
    lines = (process / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
