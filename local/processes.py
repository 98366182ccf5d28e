"""Start of a function's process in Lambda's environment, and the log of its output.

The process is awslambdaric, Lambda's own runtime client. It sees the function's folder, the layers'
sources and the installed libraries; its environment has the template's variables and Lambda's.
Installed libraries are imported before the fork, except with ``preload=False``.
"""

from __future__ import annotations

import os
import sysconfig
import threading
from collections.abc import Mapping
from functools import cache
from typing import IO, Final

from local.account import REGION
from local.forks import ForkedProcess, ForkServer, Program, open_pipe_reader
from local.functions import LambdaFunction

# Ctrl-C reaches every process of the group; the stack ends its functions itself.
_RUNTIME: Final = """\
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from awslambdaric.__main__ import main
main(sys.argv)
"""
# Slow steps that are the same for all functions: imports, botocore's service models (cached in its
# default session), and the patterns of crawlers.
_PRELUDE: Final = """\
import aws_lambda_powertools.event_handler
import aws_lambda_powertools.event_handler.middlewares.openapi_validation
import aws_lambda_powertools.logging
import aws_lambda_powertools.metrics
import aws_lambda_powertools.utilities.typing
import boto3
import crawleruseragents
import dns.asyncresolver
import dns.resolver
import hstspreload
import itsdangerous
import jinja2
import liquid
import pydantic
import turbohtml
crawleruseragents.is_crawler("")
for service in ("dynamodb", "events", "s3", "secretsmanager", "sqs"):
    boto3.client(service).close()
"""
# Variables that libraries read on import; the same for all functions.
_COMMON_ENVIRONMENT: Final = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_REGION": REGION,
    "LANG": "en_US.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "TZ": ":UTC",
    # Not Lambda's: hide the user's settings from the functions.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    # SAM CLI installs awscrt, which replaces botocore's signing; the layer has no awscrt.
    "BOTO_DISABLE_CRT": "true",
}


class StackLog:
    """The functions' output, each line with the name of its source."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self._lock = threading.Lock()

    def write_line(self, source: str, text: str) -> None:
        self.write_raw(source, text.encode())

    def read_text(self) -> str:
        """Return the whole log; the file must be readable."""
        with self._lock:
            self.file.seek(0)
            return self.file.read().decode("utf-8", "replace")

    def write_raw(self, source: str, line: bytes) -> None:
        """Write a line; Lambda's runtime joins the lines of one message by carriage returns."""
        prefix = source.encode() + b" | "
        text = b"".join(prefix + part + b"\n" for part in line.rstrip(b"\r\n").split(b"\r"))
        with self._lock:
            self.file.write(text)
            self.file.flush()


@cache
def get_fork_server(*, preload: bool) -> ForkServer:
    """Return the fork server of functions, with libraries imported or without."""
    return ForkServer(_PRELUDE if preload else "", list_library_folders(), _COMMON_ENVIRONMENT)


def list_library_folders() -> list[str]:
    """Return the folders of installed libraries.

    Their .pth files are not read, so the project's editable install cannot replace a missing layer.
    """
    return list(dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]))


def start_function(
    function: LambdaFunction, port: int, environment: Mapping[str, str], *, preload: bool
) -> ForkedProcess:
    """Start a function's process; its Runtime API is on ``port``. Raises ProcessStartError.

    ``environment`` has the stack's variables: the endpoint of AWS and credentials.
    """
    path = [*map(str, function.layer_folders), *list_library_folders()]
    variables = {**build_environment(function, port), **environment, **function.environment}
    program = Program(
        code=_RUNTIME,
        arguments=["-c", function.handler],
        working_folder=function.code_folder,
        environment={"PYTHONPATH": os.pathsep.join(path)} | variables,
        python_path=["", *path],
    )
    return get_fork_server(preload=preload).fork(program)


async def copy_output(process: ForkedProcess, source: str, log: StackLog) -> int:
    """Copy a process's output to the log until the process ends; return its exit status."""
    output, rest = await open_pipe_reader(process.output), b""
    while chunk := await output.read(65_536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            log.write_raw(source, line)
    if rest:
        log.write_raw(source, rest)
    return await process.wait_async()


def build_environment(function: LambdaFunction, port: int) -> dict[str, str]:
    """Build the variables that Lambda sets for a function."""
    return _COMMON_ENVIRONMENT | {
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "LAMBDA_TASK_ROOT": str(function.code_folder),
        "_HANDLER": function.handler,
    }
