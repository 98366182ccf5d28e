"""Find a stack's resources by their logical ids, on AWS or on an embedded stack."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import boto3
import urllib3

from waypost.composition import Repositories, TableNames

CONFIG_FILE = Path(__file__).parent.parent / "samconfig.toml"


class StackNotFound(SystemExit):
    """The stack, or one of its resources, does not exist."""


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """A stack on AWS."""

    name: str
    region: str

    @classmethod
    def from_environment(cls, environment: str) -> Self:
        """Find the stack that ``make deploy ENV=…`` deploys.

        :raises StackNotFound: when samconfig.toml does not have the environment.
        """
        known = _load_environments()
        if environment not in known:
            names = ", ".join(known)
            raise StackNotFound(
                f"samconfig.toml has no environment {environment!r}; it has {names}"
            )
        return cls(known[environment]["stack_name"], known[environment]["region"])

    def client(self, service: str) -> Any:  # noqa: ANN401 - clients have no common type
        return boto3.client(service, region_name=self.region)  # type: ignore[call-overload]

    def get_resource_id(self, logical_id: str) -> str:
        """Look up the physical id of a resource.

        :raises StackNotFound: when the stack does not have the resource.
        """
        cloudformation = self.client("cloudformation")
        try:
            answer = cloudformation.describe_stack_resource(
                StackName=self.name, LogicalResourceId=logical_id
            )
        except cloudformation.exceptions.ClientError as e:
            reason = e.response["Error"]["Message"]
            raise StackNotFound(f"{self.name} in {self.region}: {logical_id}: {reason}") from e
        return str(answer["StackResourceDetail"]["PhysicalResourceId"])


def _load_environments() -> dict[str, dict[str, str]]:
    """Load the deploy parameters of each environment in samconfig.toml that has a stack."""
    config = tomllib.loads(CONFIG_FILE.read_text("utf-8"))
    sections = {name: value for name, value in config.items() if isinstance(value, dict)}
    deploys = {
        name: section.get("deploy", {}).get("parameters", {}) for name, section in sections.items()
    }
    return {name: deploy for name, deploy in deploys.items() if "stack_name" in deploy}


_SECONDS = 10


@dataclass(frozen=True, slots=True)
class EmbeddedStackClient:
    """A stack of ``make serve``. ``services_url`` is the address of its AWS services."""

    region: str
    services_url: str
    resource_ids: Mapping[str, str]

    @classmethod
    def from_url(cls, base: str) -> Self:
        """Connect to the stack served at ``base``.

        :raises StackNotFound: when no stack answers there.
        """
        try:
            url = f"{base.rstrip('/')}/_local"
            answer = urllib3.request("GET", url, timeout=_SECONDS, retries=False)
            state = answer.json()
            return cls(state["region"], state["aws"], state["resources"])
        except (urllib3.exceptions.HTTPError, ValueError, LookupError, TypeError) as error:
            raise StackNotFound(
                f"{base}: no embedded stack there; run `make serve`, or set ENV to a deployed one"
            ) from error

    def client(self, service: str) -> Any:  # noqa: ANN401 - clients have no common type
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name=self.region,
            endpoint_url=self.services_url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 - moto accepts any key
        )

    def get_resource_id(self, logical_id: str) -> str:
        """Look up the id of a resource.

        :raises StackNotFound: when the stack does not have the resource.
        """
        if logical_id not in self.resource_ids:
            raise StackNotFound(f"the embedded stack has no {logical_id}")
        return self.resource_ids[logical_id]


def find_stack(environment: str, base: str) -> DeployedStack | EmbeddedStackClient:
    """Find the embedded stack at ``base`` if it is given, else the environment's stack."""
    return (
        EmbeddedStackClient.from_url(base) if base else DeployedStack.from_environment(environment)
    )


def connect_repositories(stack: DeployedStack | EmbeddedStackClient, *tables: str) -> Repositories:
    """Connect to a stack's tables ("clicks", "campaigns", …).

    A function's environment variable (CLICKS_TABLE) goes before the stack's own resource.
    """
    names = {
        table: get_resource_name(
            stack, f"{table.upper()}_TABLE", f"{table.title().replace('_', '')}Table"
        )
        for table in tables
    }
    return Repositories(stack.client("dynamodb"), TableNames(**names))


def get_resource_name(
    stack: DeployedStack | EmbeddedStackClient, variable: str, logical_id: str
) -> str:
    """Return the value of an environment variable, or else the id of the stack's resource."""
    return os.environ.get(variable) or stack.get_resource_id(logical_id)
