"""Waypost's redirect, imported with the garbage collector off."""

import gc

gc.disable()

# What it costs to import is the question.
from app import handler  # type: ignore[import-not-found]  # noqa: E402

gc.freeze()
gc.enable()

__all__ = ["handler"]
