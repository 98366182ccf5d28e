"""Prices of capacity units in each region (``prices.toml``), and assumed times."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = Path(__file__).parent
PRICES: Final[dict[str, Any]] = tomllib.loads((_FOLDER / "prices.toml").read_text())
ASSUMPTIONS: Final[dict[str, Any]] = tomllib.loads((_FOLDER / "assumptions.toml").read_text())
REGIONS: Final = ("us-east-1", "eu-west-1")
REDIRECT_SECONDS: Final[float] = ASSUMPTIONS["redirect"]["seconds"]
REDIRECT_GB: Final = 1.0
LOG_BYTES: Final = 600
"""Log of one redirect: three lines of Lambda, and Waypost's metric."""


@dataclass(frozen=True)
class CapacityUnits:
    """Units of one click, or of one recipient of a message."""

    writes: float
    reads: float


def compute_bill(
    click: CapacityUnits, batch_size: float, tally_gb_seconds: float, region: str
) -> dict[str, float]:
    """Compute the cost of a million clicks, item by item.

    ``batch_size``: clicks of one invocation. ``tally_gb_seconds``: the tally's time for one click.
    """
    million, gigabyte = PRICES[region]["million"], PRICES[region]["gigabyte"]
    gb_seconds = REDIRECT_SECONDS * REDIRECT_GB + tally_gb_seconds
    return {
        "CloudFront requests and function": million["cdn_requests"] + million["cdn_functions"],
        "API Gateway": million["api_requests"],
        "Lambda invocations": million["invocations"] * (1 + 1 / batch_size),
        "Lambda time (bench/assumptions.toml)": 1e6 * gb_seconds * gigabyte["seconds"],
        "DynamoDB writes": click.writes * million["write_units"],
        "DynamoDB reads": click.reads * million["read_units"],
        "events out": million["events"],
        "logs": 1e6 * LOG_BYTES / 1e9 * gigabyte["logs"],
    }


def price_dynamodb(units: CapacityUnits, region: str) -> float:
    """Compute DynamoDB's price in dollars for a million times these units."""
    million = PRICES[region]["million"]
    dollars: float = units.writes * million["write_units"] + units.reads * million["read_units"]
    return dollars


def price_tenants(count: int) -> float:
    """Compute CloudFront's monthly price in dollars for distribution tenants."""
    prices = PRICES["tenants"]
    if count <= prices["free"]:
        return 0.0
    dollars: float = prices["fee"] + max(0, count - prices["included"]) * prices["each"]
    return dollars
