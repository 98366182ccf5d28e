"""Read a function's role policy in the embedded stack, and remove permissions from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from local.stack import EmbeddedStack


def load_role_policy(stack: EmbeddedStack, function: str) -> dict[str, Any]:
    """Load the only inline policy of a function's role, with the keys of ``put_role_policy``."""
    iam, role = stack.cloud.client("iam"), stack.ref(f"{function}Role")
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)
    return {key: policy[key] for key in ("RoleName", "PolicyName", "PolicyDocument")}


def remove_statement(stack: EmbeddedStack, function: str, sid: str) -> Callable[[], None]:
    """Remove a statement from a function's role and return a function that restores it."""
    policy = load_role_policy(stack, function)
    document = policy["PolicyDocument"]

    def put_statements(statements: list[Any]) -> None:
        text = json.dumps(document | {"Statement": statements})
        stack.cloud.client("iam").put_role_policy(**policy | {"PolicyDocument": text})

    statements = document["Statement"]
    other_statements = [each for each in statements if each["Sid"] != sid]
    assert len(other_statements) == len(statements) - 1, f"{sid}: not a statement of {function}"
    put_statements(other_statements)
    return lambda: put_statements(statements)
