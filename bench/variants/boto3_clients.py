"""Waypost's redirect before the minimal client: boto3's clients under the same names."""

from typing import Any

import boto3
from botocore.config import Config

from waypost.aws import clients


def client(service: str = "secretsmanager") -> Any:  # noqa: ANN401 - clients have no common type
    once = {"mode": "standard", "total_max_attempts": 1}
    config = Config(retries=once, tcp_keepalive=True, parameter_validation=False)  # type: ignore[arg-type]
    return boto3.client(service, config=config)  # type: ignore[call-overload]


clients.create_redirect_client = client
clients.create_keyring_client = client

# It makes its clients by the names above.
from app import handler  # type: ignore[import-not-found]  # noqa: E402

__all__ = ["handler"]
