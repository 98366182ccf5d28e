"""Finds the resources of a deployed stack by their names in the template, for operators' tools.

with the environment of samconfig.toml:   Stack.of("us")
on the embedded stack:                    AWS_ENDPOINT_URL is set, and names are given as they are
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import boto3

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
