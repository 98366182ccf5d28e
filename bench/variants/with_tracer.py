"""Waypost's redirect with powertools' Tracer around it, disabled by its environment variable."""

from app import handler as plain  # type: ignore[import-not-found]
from aws_lambda_powertools import Tracer

handler = Tracer().capture_lambda_handler(plain)

__all__ = ["handler"]
