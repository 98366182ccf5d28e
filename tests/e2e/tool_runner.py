"""Run the commands of ``tools`` as the Makefile does, except for their start.

They are forked from the process that functions are forked from, which has imported their
libraries: the imports take most of the time of a command.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

from local.forks import Program
from local.processes import get_fork_server, list_library_folders
from local.stack import TEMPLATE

_TIMEOUT_SECONDS = 60
_ROOT = TEMPLATE.parent
_PYTHON_PATH = [str(_ROOT), str(_ROOT / "layers/waypost"), *list_library_folders()]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The exit status and the output of a command."""

    returncode: int
    stdout: str
    stderr: str


def run_tool(
    tool: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> CommandResult:
    """Run ``python -m tools.…`` to its end, by default with the environment of the tests."""
    program = Program(
        code=f"import runpy\nrunpy.run_module('tools.{tool}', run_name='__main__', alter_sys=True)",
        arguments=["-m", *arguments],
        working_folder=_ROOT,
        environment=os.environ if environment is None else environment,
        python_path=_PYTHON_PATH,
    )
    with tempfile.TemporaryFile() as errors:
        process = get_fork_server(preload=True).fork(program, stderr=errors.fileno())
        with process.output:
            output = b"".join(iter(lambda: process.output.read(65_536), b""))
        status = process.wait(_TIMEOUT_SECONDS)
        assert status is not None, f"tools.{tool} closed its output and keeps running"
        errors.seek(0)
        return CommandResult(status, output.decode(), errors.read().decode())
