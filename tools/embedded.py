"""A stack that ``make serve`` serves, reached as a deployed one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import boto3
import urllib3

from tools.stack import NoStack, Stack

_SECONDS = 10


@dataclass(frozen=True, slots=True)
class EmbeddedStack:
    """``services`` is the address of its AWS services, ``resources`` their ids by logical id."""

    region: str
    services: str
    resources: Mapping[str, str]

    @classmethod
    def at(cls, base: str) -> Self:
        """The one served at ``base``. Raises NoStack where there is none."""
        try:
            url = f"{base.rstrip('/')}/_local"
            answer = urllib3.request("GET", url, timeout=_SECONDS, retries=False)
            told = answer.json()
            return cls(told["region"], told["aws"], told["resources"])
        except (urllib3.exceptions.HTTPError, ValueError, LookupError, TypeError) as error:
            raise NoStack(
                f"there is no stack of `make serve` at {base}; a deployed one is named by ENV"
            ) from error

    def client(self, service: str) -> Any:  # noqa: ANN401 - clients have no common type
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name=self.region,
            endpoint_url=self.services,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 - moto lets anybody do anything
        )

    def resource(self, logical_id: str) -> str:
        """The id of a resource. Raises NoStack where the stack has none."""
        if logical_id not in self.resources:
            raise NoStack(f"the embedded stack has no {logical_id}")
        return self.resources[logical_id]


def stack_of(environment: str, base: str) -> Stack | EmbeddedStack:
    """The stack of an environment, or the embedded one at ``base`` if that is given."""
    return EmbeddedStack.at(base) if base else Stack.of(environment)
