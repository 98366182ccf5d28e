"""Clients of AWS, made when they are first needed: endpoint and credentials from the environment,
timeouts from what the caller can wait for. Where a recipient waits, the client is a lean one.
"""

from __future__ import annotations

from typing import Any, Final

from waypost.lean import LeanClient

IMPATIENT_SECONDS: Final = 0.13
"""What the redirect waits for one answer: two fit its budget of 300 ms."""
KEY_SECONDS: Final = 1.0
"""What a redirect waits for the keyring: without it nobody arrives, and it is read rarely."""
PATIENT_SECONDS: Final = 5.0


def impatient_client(service: str) -> LeanClient:
    """A client for the redirect's path: gives up early, never retries by itself."""
    return LeanClient(service, timeout=IMPATIENT_SECONDS, attempts=1)


def key_client() -> LeanClient:
    """A client of Secrets Manager for the redirect's path."""
    return LeanClient("secretsmanager", timeout=KEY_SECONDS, attempts=2)


def patient_client(service: str) -> Any:  # noqa: ANN401 - clients have no common type
    """A client for work that nobody waits for: retries throttles and broken connections."""
    import boto3  # a fifth of a second that nobody pays who does not come here
    from botocore.config import Config

    return boto3.client(
        service,  # type: ignore[call-overload]
        config=Config(
            connect_timeout=PATIENT_SECONDS,
            read_timeout=PATIENT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 4},
            tcp_keepalive=True,
            parameter_validation=False,
        ),
    )
