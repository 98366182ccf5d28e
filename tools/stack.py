"""Finds the resources of a deployed stack by their names in the template, for operators' tools.

with the environment of samconfig.toml:   Stack.of("us")
on the embedded stack:                    AWS_ENDPOINT_URL is set, and names are given as they are

A stack that ``make serve`` serves, reached as a deployed one is.
"""

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
    """The stack, or a resource of it, cannot be found; says what to do."""


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """One deployed stack."""

    name: str
    region: str

    @classmethod
    def from_environment(cls, environment: str) -> Self:
        """The stack that ``make deploy ENV=…`` deploys. Raises NoStack for an unknown one."""
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
        """The physical id of a resource. Raises NoStack where the stack has none."""
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
    """What samconfig.toml says of deploying each environment that has a stack."""
    config = tomllib.loads(CONFIG_FILE.read_text("utf-8"))
    sections = {name: said for name, said in config.items() if isinstance(said, dict)}
    deploys = {
        name: said.get("deploy", {}).get("parameters", {}) for name, said in sections.items()
    }
    return {name: deploy for name, deploy in deploys.items() if "stack_name" in deploy}


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


def connect_repositories(stack: DeployedStack | EmbeddedStackClient, *tables: str) -> Repositories:
    """Connect to a stack's tables ("clicks", "campaigns", …).

    A function's environment variable (CLICKS_TABLE) goes before the stack's own resource.
    """
    names = {
        table: get_resource_name(stack, f"{table.upper()}_TABLE", f"{table.title()}Table")
        for table in tables
    }
    return Repositories(stack.client("dynamodb"), TableNames(**names))


def get_resource_name(
    stack: DeployedStack | EmbeddedStackClient, variable: str, logical_id: str
) -> str:
    """Return the value of an environment variable, or else the id of the stack's resource."""
    return os.environ.get(variable) or stack.get_resource_id(logical_id)
