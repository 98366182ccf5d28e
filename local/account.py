"""The account and the region in which everything here seems to be."""

from __future__ import annotations

from typing import Final

ACCOUNT: Final = "123456789012"  # moto's
REGION: Final = "us-east-1"  # moto names no other in the records of its streams
OPERATOR: Final = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
"""Environment variables of whoever may do anything."""


def function_arn(name: str) -> str:
    """The ARN of a function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
