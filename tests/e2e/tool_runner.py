"""The operator's commands, run as the Makefile runs them, but for their start: they are forked from
where functions are, with libraries imported, which is most of the time that a command takes.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

from local.forks import Program
from local.processes import get_fork_server, list_library_folders
from local.stack import TEMPLATE

_SECONDS = 60
_ROOT = TEMPLATE.parent
_PATH = [str(_ROOT), str(_ROOT / "layers/waypost"), *list_library_folders()]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command printed and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def run_tool(
    tool: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> CommandResult:
    """Runs ``python -m tools.…`` and waits for its end. Without an ``environment`` it has ours."""
    program = Program(
        code=f"import runpy\nrunpy.run_module('tools.{tool}', run_name='__main__', alter_sys=True)",
        arguments=["-m", *arguments],
        working_folder=_ROOT,
        environment=os.environ if environment is None else environment,
        python_path=_PATH,
    )
    with tempfile.TemporaryFile() as errors:
        process = get_fork_server(preload=True).fork(program, stderr=errors.fileno())
        with process.output:
            printed = b"".join(iter(lambda: process.output.read(65_536), b""))
        status = process.wait(_SECONDS)
        assert status is not None, f"tools.{tool} closed its output and goes on"
        errors.seek(0)
        return CommandResult(status, printed.decode(), errors.read().decode())
