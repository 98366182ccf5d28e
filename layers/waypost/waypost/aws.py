"""Clients of AWS, made when they are first needed: endpoint and credentials from the environment,
timeouts from what the caller can wait for.
"""

from __future__ import annotations

from typing import Any, Final

IMPATIENT_SECONDS: Final = 0.13
"""What the redirect waits for one answer: two fit its budget of 300 ms."""
KEY_SECONDS: Final = 1.0
"""What a redirect waits for the keyring: without it nobody arrives, and it is read rarely."""
PATIENT_SECONDS: Final = 5.0


def impatient_client(service: str) -> Any:  # noqa: ANN401 - clients have no common type
    """A client for the redirect's path: gives up early, never retries by itself."""
    return _client(service, timeout=IMPATIENT_SECONDS, attempts=1)


def key_client() -> Any:  # noqa: ANN401 - clients have no common type
    """A client of Secrets Manager for the redirect's path."""
    return _client("secretsmanager", timeout=KEY_SECONDS, attempts=2)


def patient_client(service: str) -> Any:  # noqa: ANN401 - clients have no common type
    """A client for work that nobody waits for: retries throttles and broken connections."""
    return _client(service, timeout=PATIENT_SECONDS, attempts=4)


def _client(service: str, *, timeout: float, attempts: int) -> Any:  # noqa: ANN401
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,  # type: ignore[call-overload]
        config=Config(
            connect_timeout=timeout,
            read_timeout=timeout,
            retries={"mode": "standard", "total_max_attempts": attempts},
            tcp_keepalive=True,
            parameter_validation=False,
        ),
    )
