"""The process that moto runs in: starting it, stopping it for a while, ending it."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Final

from local.account import ACCOUNT_ID, OPERATOR_CREDENTIALS, REGION
from local.errors import ProcessStartError
from local.forks import ForkServer, Program
from local.processes import list_library_folders

_START_SECONDS: Final = 60.0
_ROOT: Final = Path(__file__).parents[1]
_CODE: Final = "from local.moto_server import serve\nserve()\n"
_SERVICES: Final = ("dynamodb", "dynamodbstreams", "events", "iam", "s3", "secretsmanager", "sqs")
_PRELUDE: Final = "\n".join(
    [
        "import local.moto_server, moto.moto_server.werkzeug_app",
        "from moto.core.utils import get_service_model",  # it keeps what it has read
        *(
            f"import moto.{service}.models, moto.{service}.urls; get_service_model({service!r})"
            for service in _SERVICES
        ),
    ]
)


@cache
def _get_fork_server() -> ForkServer:
    # One account only, and clients send its number in no host name: streams work on a server
    # without it.
    environment = OPERATOR_CREDENTIALS | {
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "AWS_REGION": REGION,
        "PATH": os.environ.get("PATH", os.defpath),
        "WAYPOST_LOCAL_ACCOUNT": ACCOUNT_ID,
    }
    return ForkServer(_PRELUDE, [str(_ROOT), *list_library_folders()], environment)


class MotoProcess:
    """A running moto; everything in it is lost when it ends, which it does with this process."""

    def __init__(self, log: IO[bytes]) -> None:
        """Starts it; ``log`` takes what it complains of. Raises NotStarted."""
        server = _get_fork_server()
        program = Program(_CODE, ["moto"], _ROOT, server.environment, server.python_path)
        held, self._lifeline = os.pipe()
        try:
            self._process = server.fork(program, stdin=held, stderr=log.fileno())
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(held)

    def wait_for_port(self) -> int:
        """Waits until it serves. Raises NotStarted when it does not come up."""
        ready, _, _ = select.select([self._process.output], [], [], _START_SECONDS)
        line = self._process.output.readline() if ready else b""
        if not line.strip().isdigit():
            raise ProcessStartError("moto did not start; its log says why")
        return int(line)

    @contextmanager
    def suspend(self) -> Iterator[None]:
        """Meanwhile it does nothing: connections are taken and nothing comes back."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Ends it and waits until it is gone."""
        os.close(self._lifeline)
        if self._process.wait(5) is None:
            self._process.kill()
            self._process.wait(_START_SECONDS)
        self._process.output.close()
