"""Waypost's redirect with powertools' Tracer around it, told by its environment to do nothing."""

from app import handler as plain  # type: ignore[import-not-found]
from aws_lambda_powertools import Tracer

handler = Tracer().capture_lambda_handler(plain)

__all__ = ["handler"]
