"""The AWS services: moto in a separate process, and clients for it."""

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
        "from moto.core.utils import get_service_model",  # cached
        *(
            f"import moto.{service}.models, moto.{service}.urls; get_service_model({service!r})"
            for service in _SERVICES
        ),
    ]
)

_REQUEST_SECONDS: Final = 60
_CLIENT_LOCK: Final = threading.Lock()  # boto3 sessions are not thread-safe


@cache
def _get_fork_server() -> ForkServer:
    # With the account id in host names, streams do not work on a local endpoint.
    environment = OPERATOR_CREDENTIALS | {
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "AWS_REGION": REGION,
        "PATH": os.environ.get("PATH", os.defpath),
        "WAYPOST_LOCAL_ACCOUNT": ACCOUNT_ID,
    }
    return ForkServer(_PRELUDE, [str(_ROOT), *list_library_folders()], environment)


class MotoProcess:
    """A process that runs moto, and ends with this process at the latest."""

    def __init__(self, log: IO[bytes]) -> None:
        """Start the process; its errors go to ``log``. Raises ProcessStartError."""
        server = _get_fork_server()
        program = Program(_CODE, ["moto"], _ROOT, server.environment, server.python_path)
        stdin, self._lifeline = os.pipe()
        try:
            self._process = server.fork(program, stdin=stdin, stderr=log.fileno())
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(stdin)

    def wait_for_port(self) -> int:
        """Wait until moto serves. Raises ProcessStartError if it does not."""
        ready, _, _ = select.select([self._process.output], [], [], _START_SECONDS)
        line = self._process.output.readline() if ready else b""
        if not line.strip().isdigit():
            raise ProcessStartError("moto: did not start; see the log")
        return int(line)

    @contextmanager
    def suspend(self) -> Iterator[None]:
        """Stop the process meanwhile: connections succeed, but no response arrives."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End the process and wait until it has ended."""
        os.close(self._lifeline)
        if self._process.wait(5) is None:
            self._process.kill()
            self._process.wait(_START_SECONDS)
        self._process.output.close()


@cache
def _get_session() -> boto3.Session:
    """Return the one session, without the user's profiles and files; it caches service models."""
    nowhere = (None, None, os.devnull, None)
    settings = {
        "profile": (None, None, None, None),
        "config_file": nowhere,
        "credentials_file": nowhere,
    }
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=settings))


class MotoCloud:
    """A running moto; all data is lost when it ends."""

    def __init__(self, log: IO[bytes]) -> None:
        """Start the process; its errors go to ``log``. Raises ProcessStartError."""
        self._process = MotoProcess(log)
        self._clients: dict[tuple[str, str], Any] = {}
        self._role_credentials: dict[str, Mapping[str, str]] = {}
        self._url: str | None = None

    @property
    def url(self) -> str:
        """The endpoint of all services; the first access waits until it answers."""
        if self._url is None:
            self._url = f"http://127.0.0.1:{self._process.wait_for_port()}"
        return self._url

    def create_role(self, name: str, trust: str, policies: Mapping[str, str]) -> str:
        """Create a role with inline policies (JSON by name) and return its ARN.

        ``get_credentials`` knows it from then on. Raises TemplateError if moto refuses it.
        """
        role = {"name": name, "trust": trust, "policies": policies}
        response = urllib3.request(
            "POST", self.url + ROLES_PATH, json=role, timeout=_REQUEST_SECONDS
        )
        if response.status != 200:
            raise TemplateError(name, f"role cannot be created: {response.data.decode()}")
        arn = f"arn:aws:iam::{ACCOUNT_ID}:role/{name}"
        self._role_credentials[arn] = response.json()
        return arn

    def get_credentials(self, role: str | None) -> Mapping[str, str]:
        """Return environment variables with the credentials of a role, by ARN.

        Without a role of the template they are the operator's, who has all permissions.
        """
        return (
            self._role_credentials.get(role, OPERATOR_CREDENTIALS) if role else OPERATOR_CREDENTIALS
        )

    def load_permission_report(self) -> PermissionReport:
        """Load the permissions that roles used, and those denied, so far."""
        response = urllib3.request("GET", self.url + PERMISSIONS_PATH, timeout=_REQUEST_SECONDS)
        report = response.json()
        return PermissionReport(
            frozenset(PermissionUse(*each) for each in report["used"]),
            frozenset(PermissionDenial(*each) for each in report["denied"]),
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
        """Return the client of a service, shared by all threads, for a role or the operator."""
        credentials = self.get_credentials(role)
        key = service, credentials["AWS_ACCESS_KEY_ID"]
        with _CLIENT_LOCK:
            if key not in self._clients:
                self._clients[key] = _get_session().client(
                    service,  # type: ignore[call-overload]  # any service
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
        """Stop all services meanwhile: connections succeed, but no response arrives."""
        with self._process.suspend():
            yield

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._process.close()
