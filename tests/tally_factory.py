"""Create a tally over a test's repositories."""

from __future__ import annotations

from typing import Any

from waypost.composition import Repositories, build_tally_service
from waypost.tally.service import TallyService


def create_tally(stores: Repositories, bus: Any = None) -> TallyService:
    """Create a tally without pauses between attempts; without a bus it publishes no events."""
    return build_tally_service(stores, bus, sleep=lambda _: None)
