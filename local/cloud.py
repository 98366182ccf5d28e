"""moto as seen from the stack: starting it, clients for it, ending it.

The process that moto runs in: starting it, stopping it for a while, ending it.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, overload

import boto3
import botocore.session
import urllib3
from botocore.config import Config

from local.account import ACCOUNT_ID, OPERATOR_CREDENTIALS, REGION
from local.errors import ProcessStartError, TemplateError
from local.forks import ForkServer, Program
from local.iam_policies import (
    PERMISSIONS_PATH,
    ROLES_PATH,
    PermissionDenial,
    PermissionReport,
    PermissionUse,
)
from local.processes import list_library_folders

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient


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


_REQUEST_SECONDS: Final = 60
_CLIENT_LOCK: Final = threading.Lock()  # one client at a time, which is all that sessions bear


@cache
def _get_session() -> boto3.Session:
    """A session that knows nothing of the profiles and files of whoever runs the stack. There is
    one, since it keeps how services are described.
    """
    nowhere = (None, None, os.devnull, None)
    settings = {
        "profile": (None, None, None, None),
        "config_file": nowhere,
        "credentials_file": nowhere,
    }
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=settings))


class MotoCloud:
    """A running moto. Everything in it is lost when it ends."""

    def __init__(self, log: IO[bytes]) -> None:
        """Starts the process; ``log`` takes what it prints. Raises NotStarted when it does not come
        up.
        """
        self._process = MotoProcess(log)
        self._clients: dict[tuple[str, str], Any] = {}
        self._role_credentials: dict[str, Mapping[str, str]] = {}
        self._url: str | None = None

    @property
    def url(self) -> str:
        """The endpoint of every service; waits until it answers."""
        if self._url is None:
            self._url = f"http://127.0.0.1:{self._process.wait_for_port()}"
        return self._url

    def create_role(self, name: str, trust: str, policies: Mapping[str, str]) -> str:
        """Makes a role with inline policies (JSON by name) and returns its ARN; ``credentials`` has
        its own from then on. Raises TemplateError where moto does not take the policies.
        """
        role = {"name": name, "trust": trust, "policies": policies}
        answer = urllib3.request("POST", self.url + ROLES_PATH, json=role, timeout=_REQUEST_SECONDS)
        if answer.status != 200:
            raise TemplateError(name, f"is no role that can be made: {answer.data.decode()}")
        arn = f"arn:aws:iam::{ACCOUNT_ID}:role/{name}"
        self._role_credentials[arn] = answer.json()
        return arn

    def get_credentials(self, role: str | None) -> Mapping[str, str]:
        """Environment variables with the credentials of a role, by ARN. Without a role, or with one
        that is not of the template, they are the operator's, who may do anything.
        """
        return (
            self._role_credentials.get(role, OPERATOR_CREDENTIALS) if role else OPERATOR_CREDENTIALS
        )

    def load_permission_report(self) -> PermissionReport:
        """What roles asked for so far."""
        answer = urllib3.request("GET", self.url + PERMISSIONS_PATH, timeout=_REQUEST_SECONDS)
        told = answer.json()
        return PermissionReport(
            frozenset(PermissionUse(*each) for each in told["used"]),
            frozenset(PermissionDenial(*each) for each in told["denied"]),
        )

    @overload
    def client(self, service: Literal["dynamodb"], role: str | None = ...) -> DynamoDBClient: ...
    @overload
    def client(self, service: Literal["events"], role: str | None = ...) -> EventBridgeClient: ...
    @overload
    def client(self, service: Literal["s3"], role: str | None = ...) -> S3Client: ...
    @overload
    def client(
        self, service: Literal["secretsmanager"], role: str | None = ...
    ) -> SecretsManagerClient: ...
    @overload
    def client(self, service: Literal["sqs"], role: str | None = ...) -> SQSClient: ...
    @overload
    def client(self, service: str, role: str | None = ...) -> Any: ...  # noqa: ANN401  many types

    def client(self, service: str, role: str | None = None) -> Any:
        """A client for the service on moto, one for all threads; the operator's, or a role's."""
        credentials = self.get_credentials(role)
        key = service, credentials["AWS_ACCESS_KEY_ID"]
        with _CLIENT_LOCK:
            if key not in self._clients:
                self._clients[key] = _get_session().client(
                    service,  # type: ignore[call-overload]  # one of many names
                    endpoint_url=self.url,
                    region_name=REGION,
                    aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
                    aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
                    aws_session_token=credentials.get("AWS_SESSION_TOKEN"),
                    config=Config(
                        account_id_endpoint_mode="disabled",
                        proxies={},
                        max_pool_connections=32,
                        s3={"addressing_style": "path"},
                    ),
                )
            return self._clients[key]

    @contextmanager
    def suspend(self) -> Iterator[None]:
        """Meanwhile no service answers: connections are taken and nothing comes back."""
        with self._process.suspend():
            yield

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._process.close()
