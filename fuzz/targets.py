"""All fuzz targets by name."""

from __future__ import annotations

from typing import Final

from fuzz import bodies, links, messages

TARGETS: Final = {**links.TARGETS, **messages.TARGETS, **bodies.TARGETS}
