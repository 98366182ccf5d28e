"""A stack that ``make serve`` serves, reached as a deployed one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import boto3
import urllib3

from tools.stack import DeployedStack, StackNotFound

_SECONDS = 10


@dataclass(frozen=True, slots=True)
class EmbeddedStackClient:
    """``services`` is the address of its AWS services, ``resources`` their ids by logical id."""

    region: str
    services_url: str
    resource_ids: Mapping[str, str]

    @classmethod
    def from_url(cls, base: str) -> Self:
        """The one served at ``base``. Raises NoStack where there is none."""
        try:
            url = f"{base.rstrip('/')}/_local"
            answer = urllib3.request("GET", url, timeout=_SECONDS, retries=False)
            told = answer.json()
            return cls(told["region"], told["aws"], told["resources"])
        except (urllib3.exceptions.HTTPError, ValueError, LookupError, TypeError) as error:
            raise StackNotFound(
                f"there is no stack of `make serve` at {base}; a deployed one is named by ENV"
            ) from error

    def client(self, service: str) -> Any:  # noqa: ANN401 - clients have no common type
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name=self.region,
            endpoint_url=self.services_url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 - moto lets anybody do anything
        )

    def get_resource_id(self, logical_id: str) -> str:
        """The id of a resource. Raises NoStack where the stack has none."""
        if logical_id not in self.resource_ids:
            raise StackNotFound(f"the embedded stack has no {logical_id}")
        return self.resource_ids[logical_id]


def find_stack(environment: str, base: str) -> DeployedStack | EmbeddedStackClient:
    """The stack of an environment, or the embedded one at ``base`` if that is given."""
    return (
        EmbeddedStackClient.from_url(base) if base else DeployedStack.from_environment(environment)
    )
