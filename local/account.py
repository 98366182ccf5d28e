"""Account id and region of the embedded stack."""

from __future__ import annotations

from typing import Final

ACCOUNT_ID: Final = "123456789012"  # moto's
REGION: Final = "us-east-1"  # moto's stream records have no other
OPERATOR_CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
"""Environment variables of the operator, who has all permissions."""


def format_function_arn(name: str) -> str:
    """Format the ARN of a function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"
