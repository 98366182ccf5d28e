"""The account and the region in which everything here seems to be."""

from __future__ import annotations

from typing import Final

ACCOUNT_ID: Final = "123456789012"  # moto's
REGION: Final = "us-east-1"  # moto names no other in the records of its streams
OPERATOR_CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
"""Environment variables of whoever may do anything."""


def format_function_arn(name: str) -> str:
    """The ARN of a function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"
