"""Starting a function's process with nothing around it but what Lambda gives, and keeping what it
prints.

The process is awslambdaric, the runtime client that Lambda itself runs. It sees the function's
folder, the layers' sources and the installed libraries; the environment is the template's and
Lambda's own variables, and no other. Installed libraries come imported, unless each start is to be
as heavy as on Lambda.
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

# Ctrl-C reaches every process of the group, and it is the stack that ends its functions.
_RUNTIME: Final = """\
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from awslambdaric.__main__ import main
main(sys.argv)
"""
# What takes long, and looks at nothing that differs between functions: importing libraries, reading
# how botocore describes services, which its default session keeps, and compiling what crawlers are
# called.
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
import linkify_it
import liquid
import pydantic
import turbohtml
crawleruseragents.is_crawler("")
for service in ("dynamodb", "events", "s3", "secretsmanager", "sqs"):
    boto3.client(service).close()
"""
# Those of Lambda's variables that libraries read while they are imported: alike for all functions.
_COMMON_ENVIRONMENT: Final = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_REGION": REGION,
    "LANG": "en_US.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "TZ": ":UTC",
    # Not Lambda's: keep the settings of whoever runs the stack out of the functions.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    # SAM CLI brings a library along that signs in botocore's stead; the layer has none.
    "BOTO_DISABLE_CRT": "true",
}


class StackLog:
    """Where the functions' output goes, each line after the name of what wrote it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self._lock = threading.Lock()

    def write_line(self, source: str, text: str) -> None:
        self.write_raw(source, text.encode())

    def read_text(self) -> str:
        """All of it so far; only of a file that can be read."""
        with self._lock:
            self.file.seek(0)
            return self.file.read().decode("utf-8", "replace")

    def write_raw(self, source: str, line: bytes) -> None:
        """``line`` may be several: Lambda's runtime joins those of one message by returns."""
        prefix = source.encode() + b" | "
        text = b"".join(prefix + part + b"\n" for part in line.rstrip(b"\r\n").split(b"\r"))
        with self._lock:
            self.file.write(text)
            self.file.flush()


@cache
def get_fork_server(*, preload: bool) -> ForkServer:
    """Where functions' processes come from, with libraries imported or without."""
    return ForkServer(_PRELUDE if preload else "", list_library_folders(), _COMMON_ENVIRONMENT)


def list_library_folders() -> list[str]:
    """Where libraries are installed. It is for want of .pth files, which are not read there, that
    the project's own editable install does not stand in for a layer that is missing.
    """
    return list(dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]))


def start_function(
    function: LambdaFunction, port: int, environment: Mapping[str, str], *, preload: bool
) -> ForkedProcess:
    """Starts the function's process; its Runtime API is on ``port``. ``environment`` is the stack's
    share of it. Raises NotStarted.
    """
    path = [*map(str, function.layer_folders), *list_library_folders()]
    given = {**build_environment(function, port), **environment, **function.environment}
    program = Program(
        code=_RUNTIME,
        arguments=["-c", function.handler],
        working_folder=function.code_folder,
        environment={"PYTHONPATH": os.pathsep.join(path)} | given,
        python_path=["", *path],
    )
    return get_fork_server(preload=preload).fork(program)


async def copy_output(process: ForkedProcess, source: str, log: StackLog) -> int:
    """Copies what a process prints to the log, line by line, until it ends; its exit status."""
    output, rest = await open_pipe_reader(process.output), b""
    while chunk := await output.read(65_536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            log.write_raw(source, line)
    if rest:
        log.write_raw(source, rest)
    return await process.wait_async()


def build_environment(function: LambdaFunction, port: int) -> dict[str, str]:
    """What Lambda sets for every function, and what stands in for its file system."""
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
