"""Starting a function's process with nothing around it but what Lambda gives, and keeping what it
prints.

The process is awslambdaric, the runtime client that Lambda itself runs. It sees the function's
folder, the layers' sources and the installed libraries; the environment is the template's and
Lambda's own variables, and no other.
"""

from __future__ import annotations

import asyncio
import os
import sys
import sysconfig
import threading
from collections.abc import Mapping
from typing import IO, Final

from local.account import REGION
from local.functions import Function

# Ctrl-C reaches every process of the group, and it is the stack that ends its functions. The
# installed packages come without .pth files (-S), so that the project's own editable install does
# not stand in for a layer that is missing.
_PYTHON: Final = (sys.executable, "-S", "-u")
_RUNTIME: Final = """\
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[0] = ""
from awslambdaric.__main__ import main
main(sys.argv)
"""


class Log:
    """Where the functions' output goes, each line after the name of what wrote it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self._lock = threading.Lock()

    def line(self, source: str, text: str) -> None:
        self.raw(source, text.encode())

    def text(self) -> str:
        """All of it so far; only of a file that can be read."""
        with self._lock:
            self.file.seek(0)
            return self.file.read().decode("utf-8", "replace")

    def raw(self, source: str, line: bytes) -> None:
        """``line`` may be several: Lambda's runtime joins those of one message by returns."""
        prefix = source.encode() + b" | "
        text = b"".join(prefix + part + b"\n" for part in line.rstrip(b"\r\n").split(b"\r"))
        with self._lock:
            self.file.write(text)
            self.file.flush()


async def spawn(
    function: Function, port: int, environment: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """Starts the function's process; its Runtime API is on ``port``. ``environment`` is the stack's
    share of it.
    """
    return await asyncio.create_subprocess_exec(
        *_PYTHON,
        "-c",
        _RUNTIME,
        function.handler,
        cwd=function.code,
        env={**lambda_environment(function, port), **environment, **function.environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


def lambda_environment(function: Function, port: int) -> dict[str, str]:
    """What Lambda sets for every function, and what stands in for its file system."""
    libraries = sysconfig.get_path("purelib"), sysconfig.get_path("platlib")
    return {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_REGION": REGION,
        "LAMBDA_TASK_ROOT": str(function.code),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([*map(str, function.layers), *libraries])),
        "TZ": ":UTC",
        "_HANDLER": function.handler,
        # Not Lambda's: keep the settings of whoever runs the stack out of the functions.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


async def copy_output(process: asyncio.subprocess.Process, source: str, log: Log) -> None:
    """Copies what a process prints to the log, line by line, until it ends."""
    if process.stdout is None:
        return
    rest = b""
    while chunk := await process.stdout.read(65_536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            log.raw(source, line)
    if rest:
        log.raw(source, rest)
