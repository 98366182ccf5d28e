"""moto as seen from the stack: starting it, clients for it, ending it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, cast, overload

import boto3
import botocore.session
from botocore.config import Config

from local.errors import NotStarted
from local.intrinsics import ACCOUNT, REGION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

_START_SECONDS: Final = 60
_CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


def _session() -> boto3.Session:
    """A session that knows nothing of the profiles and files of whoever runs the stack."""
    nowhere = (None, None, os.devnull, None)
    settings = {
        "profile": (None, None, None, None),
        "config_file": nowhere,
        "credentials_file": nowhere,
    }
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=settings))


class Cloud:
    """A running moto. Everything in it is lost when it ends."""

    def __init__(self, log: IO[bytes]) -> None:
        """Starts the process; ``log`` takes what it prints. Raises NotStarted when it does not come
        up.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local.moto_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=Path(__file__).parents[1],
            env=os.environ
            | _CREDENTIALS
            | {"AWS_REGION": REGION, "WAYPOST_LOCAL_ACCOUNT": ACCOUNT},
        )
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._url: str | None = None

    @property
    def url(self) -> str:
        """The endpoint of every service; waits until it answers."""
        if self._url is None:
            self._url = f"http://127.0.0.1:{self._port()}"
        return self._url

    def _port(self) -> int:
        output = cast("IO[bytes]", self._process.stdout)
        ready, _, _ = select.select([output], [], [], _START_SECONDS)
        line = output.readline() if ready else b""
        if not line.strip().isdigit():
            raise NotStarted("moto did not start; its log says why")
        return int(line)

    @staticmethod
    def credentials(role: str) -> dict[str, str]:
        """Environment variables with the credentials of a role.

        All roles are the same here, and moto checks no permission. This is where a role's own
        credentials go once the embedded stack enforces policies.
        """
        del role
        return _CREDENTIALS | {"AWS_SESSION_TOKEN": "testing"}

    @overload
    def client(self, service: Literal["dynamodb"]) -> DynamoDBClient: ...
    @overload
    def client(self, service: Literal["events"]) -> EventBridgeClient: ...
    @overload
    def client(self, service: Literal["s3"]) -> S3Client: ...
    @overload
    def client(self, service: Literal["secretsmanager"]) -> SecretsManagerClient: ...
    @overload
    def client(self, service: Literal["sqs"]) -> SQSClient: ...
    @overload
    def client(self, service: str) -> Any: ...  # noqa: ANN401  one of many types

    def client(self, service: str) -> Any:
        """A client for the service on moto, one for all threads."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = _session().client(
                    service,  # type: ignore[call-overload]  # one of many names
                    endpoint_url=self.url,
                    region_name=REGION,
                    aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
                    aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
                    config=Config(
                        account_id_endpoint_mode="disabled",
                        proxies={},
                        max_pool_connections=32,
                        s3={"addressing_style": "path"},
                    ),
                )
            return self._clients[service]

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Meanwhile no service answers: connections are taken and nothing comes back."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        cast("IO[bytes]", self._process.stdin).close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        cast("IO[bytes]", self._process.stdout).close()
