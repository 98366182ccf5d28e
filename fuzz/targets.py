"""All fuzz targets by name."""

from __future__ import annotations

from typing import Final

from fuzz import bodies, isolation, links, messages, templates

TARGETS: Final = {
    **links.TARGETS,
    **messages.TARGETS,
    **templates.TARGETS,
    **bodies.TARGETS,
    **isolation.TARGETS,
}
