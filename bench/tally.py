"""How many clicks a tally counts on one core, and what that is made of.

    python -m bench.tally

The tally runs on moto's tables, and what it asks of DynamoDB is kept. Then the same calls are made
again, on moto without the tally (moto's own ceiling: nobody is faster here), and on a client whose
answers come from memory (what the AWS library takes for itself); so is telling the event bus. The
tally's own share is measured on the in-memory twin. Processor time throughout; hot traffic is one
link, spread traffic is twenty campaigns of ten links. What a lane of the stream comes to with it
follows from what ``assumptions.toml`` says of waiting.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import replace

from bench.lanes import BatchTiming, load_batch_timing
from bench.tally_parts import (
    FULL_BATCH,
    measure_event_bus,
    measure_in_memory,
    measure_library,
    measure_moto_alone,
    measure_on_moto,
)
from bench.world import generate_clicks
from local import moto_transactions
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.models.click import Click

CLICKS, ROUNDS = 2_000, 3


def hot() -> list[Click]:
    """Everybody clicks one link."""
    return generate_clicks(100_000, CLICKS, 1)


def spread() -> list[Click]:
    """Twenty campaigns of ten links each, all at once."""
    clicks = generate_clicks(100_000, CLICKS, 1)
    links = [
        derive_link_id(derive_campaign_id("acme", f"campaign-{campaign}"), f"link-{link}")
        for campaign in range(20)
        for link in range(10)
    ]
    return [replace(click, link=links[n * 7 % len(links)]) for n, click in enumerate(clicks)]


def measure_parts(clicks: Sequence[Click]) -> tuple[list[float], float]:
    """Processor µs of a click, as medians of rounds in which all take their turn: the whole on
    moto, moto alone, the AWS library, telling the bus, the tally itself. And transactions for
    1,000 clicks.
    """
    rounds = []
    transactions = 0
    for _ in range(ROUNDS):
        whole, calls = measure_on_moto(clicks)
        rounds.append(
            (
                whole,
                measure_moto_alone(calls),
                measure_library(calls),
                measure_event_bus(clicks),
                measure_in_memory(clicks),
            )
        )
        transactions = sum(call == "transact_write_items" for call, _, _ in calls)
    medians = [statistics.median(values) for values in zip(*rounds, strict=True)]
    return [each / len(clicks) * 1e6 for each in medians], 1_000 * transactions / len(clicks)


def print_traffic(name: str, clicks: Sequence[Click]) -> float:
    """Print a line; seconds of processor time that a click takes without moto."""
    (whole, ceiling, library, bus, own), transactions = measure_parts(clicks)
    together = library + bus + own
    print(
        f"{name:<8}{transactions:>14.1f}{own:>12.0f}{library:>14.0f}{bus:>14.0f}"
        f"{1e6 / together:>16,.0f}{1e6 / whole:>12,.0f}{1e6 / ceiling:>12,.0f}",
        flush=True,
    )
    return together / 1e6


def print_batch_timing(click_seconds: float) -> None:
    """Print what a lane of the stream counts, with waits as assumed."""
    print("\nA lane of the stream, waits as bench/assumptions.toml has them")
    for memory in (load_batch_timing().memory_mb, 1024):
        one = BatchTiming(memory, click_seconds)
        print(
            f"{memory:,.0f} MB: a batch of {FULL_BATCH} "
            f"in {one.batch_seconds(FULL_BATCH) * 1e3:,.0f} ms, "
            f"{one.clicks_per_second(FULL_BATCH):,.0f} clicks a second"
        )


def main() -> None:
    """Measure both kinds of traffic."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    moto_transactions.install_rollback()
    print(f"{CLICKS:,} clicks in batches of {FULL_BATCH}, {ROUNDS} rounds, processor time")
    print(
        f"{'':<8}{'transactions':>14}{'tally':>12}{'AWS library':>14}{'event bus':>14}"
        f"{'clicks/s':>16}{'on moto':>12}{'moto alone':>12}"
    )
    print(
        f"{'':<8}{'per 1,000':>14}{'µs a click':>12}{'µs a click':>14}{'µs a click':>14}"
        f"{'on one core':>16}{'clicks/s':>12}{'clicks/s':>12}"
    )
    click_seconds = [print_traffic(traffic.__name__, traffic()) for traffic in (hot, spread)]
    print_batch_timing(click_seconds[0])


if __name__ == "__main__":
    main()
