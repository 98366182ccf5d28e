"""The operator's commands, run as the Makefile runs them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from local.forks import ForkServer, Program
from local.processes import installed
from local.stack import TEMPLATE

_SECONDS = 60
_ROOT = TEMPLATE.parent
# Most of the time that a command takes goes into importing these.
_PRELUDE = """
import boto3, jinja2, pydantic
for service in ("dynamodb", "events", "s3", "secretsmanager", "sqs"):
    boto3.client(service, region_name="us-east-1").close()
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command printed and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def run(tool: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Ran:
    """Runs ``python -m tools.…`` and waits for its end. Without an ``environment`` it has ours."""
    program = Program(
        code=f"import runpy\nrunpy.run_module('tools.{tool}', run_name='__main__', alter_sys=True)",
        arguments=["-m", *arguments],
        folder=_ROOT,
        environment=os.environ if environment is None else environment,
        path=_server().path,
    )
    with tempfile.TemporaryFile() as errors:
        process = _server().fork(program, stderr=errors.fileno())
        with process.output:
            printed = b"".join(iter(lambda: process.output.read(65_536), b""))
        status = process.wait(_SECONDS)
        assert status is not None, f"tools.{tool} closed its output and goes on"
        errors.seek(0)
        return Ran(status, printed.decode(), errors.read().decode())


@cache
def _server() -> ForkServer:
    # The session that clients share would keep what it finds of whoever runs the tests.
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return ForkServer(
        _PRELUDE,
        [str(_ROOT), str(_ROOT / "layers/waypost"), *installed()],
        {**os.environ, **nothing},
    )
