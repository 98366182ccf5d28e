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

from local.account import ACCOUNT, OPERATOR, REGION
from local.errors import NotStarted
from local.forks import ForkServer, Program
from local.processes import installed

_SECONDS: Final = 60.0
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
def _fork_server() -> ForkServer:
    # One account only, and clients send its number in no host name: streams work on a server
    # without it.
    environment = OPERATOR | {
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "AWS_REGION": REGION,
        "PATH": os.environ.get("PATH", os.defpath),
        "WAYPOST_LOCAL_ACCOUNT": ACCOUNT,
    }
    return ForkServer(_PRELUDE, [str(_ROOT), *installed()], environment)


class MotoProcess:
    """A running moto; everything in it is lost when it ends, which it does with this process."""

    def __init__(self, log: IO[bytes]) -> None:
        """Starts it; ``log`` takes what it complains of. Raises NotStarted."""
        server = _fork_server()
        program = Program(_CODE, ["moto"], _ROOT, server.environment, server.path)
        held, self._held = os.pipe()
        try:
            self._fork = server.fork(program, stdin=held, stderr=log.fileno())
        except BaseException:
            os.close(self._held)
            raise
        finally:
            os.close(held)

    def port(self) -> int:
        """Waits until it serves. Raises NotStarted when it does not come up."""
        ready, _, _ = select.select([self._fork.output], [], [], _SECONDS)
        line = self._fork.output.readline() if ready else b""
        if not line.strip().isdigit():
            raise NotStarted("moto did not start; its log says why")
        return int(line)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Meanwhile it does nothing: connections are taken and nothing comes back."""
        self._fork.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._fork.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Ends it and waits until it is gone."""
        os.close(self._held)
        if self._fork.wait(5) is None:
            self._fork.kill()
            self._fork.wait(_SECONDS)
        self._fork.output.close()
