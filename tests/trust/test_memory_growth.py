"""Memory and file handles stay flat over an hour's equivalent: 36,000 clicks at ten a second, and
what goes with them. `make soak` runs the hour and shows the figures; the tests a few minutes of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.trust import traffic
from tests.trust.aws import run_fake_aws
from tests.trust.conftest import count_attempts
from tests.trust.function import FunctionProcess, ProcessSample, run_function
from waypost.aws.event_bus import MAX_CONCURRENT_PUT_EVENTS

PARTS = 8


@dataclass(frozen=True)
class Hour:
    """A function's hour. ``short`` and ``long`` count invocations; ``settled``: from which part on
    its caches are full. In KiB, ``growth`` is what it may still gain over all parts after that
    one, and ``limit`` what it may ever hold, where a short run ends with caches half full. Of file
    handles it may come to hold ``spare`` more: connections that it only needs in need.
    """

    events: Callable[[], Iterator[dict[str, Any]]]
    short: int
    long: int
    growth: int
    limit: int
    spare: int = 0


HOURS = {
    "redirect": Hour(
        traffic.generate_click_events, 800, 36_000, growth=1_024, limit=64_000, spare=1
    ),  # the queue
    # It tells the bus in several calls at once: how many connections are in use, chance decides.
    "tally": Hour(
        traffic.generate_batches,
        40,
        3_600,
        growth=2_048,
        limit=128_000,
        spare=MAX_CONCURRENT_PUT_EVENTS - 1,
    ),
    "rewrite": Hour(traffic.generate_messages, 40, 3_600, growth=8_192, limit=256_000),
    "pages": Hour(traffic.generate_page_views, 80, 3_600, growth=2_048, limit=160_000),
}


@pytest.fixture(autouse=True)
def measurable(socket_enabled: None) -> None:
    """Processes are looked into where Linux shows them; the fake services are on this machine."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc to see what a process holds")


@pytest.mark.parametrize("name", HOURS)
def test_memory_and_handles_are_flat(name: str) -> None:
    hour = HOURS[name]
    times = count_attempts(hour.short, hour.long)
    items = [*traffic.build_short_link_items(), *traffic.build_campaign_items()]
    with (
        run_fake_aws(items) as services,
        run_function(name, services.url, hour.events()) as running,
    ):
        samples = list(_samples(running, times // PARTS))
        assert services.call_count > times // 2
    print(
        name,
        times,
        *(f"{s.memory_kib / 1024:.1f}" for s in samples),
        "MiB",
        samples[-1].file_handles,
    )
    assert samples[-1].memory_kib < hour.limit
    assert (
        max(sample.file_handles for sample in samples[1:]) <= samples[1].file_handles + hour.spare
    )
    if count_attempts(0, 1):
        settled = samples[PARTS // 2]
        assert samples[-1].memory_kib - settled.memory_kib < hour.growth, samples


def _samples(running: FunctionProcess, times: int) -> Iterator[ProcessSample]:
    for _ in range(PARTS):
        running.invoke(times)
        yield running.measure()


def test_a_function_that_leaks_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "kept = []\n"
        "def handler(event, context):\n"
        "    kept.append((bytes(100_000), open(__file__)))\n"
    )
    events: Iterator[dict[str, Any]] = iter(dict, None)
    with run_function(str(tmp_path), "http://127.0.0.1:9", events) as running:
        first, *_, last = _samples(running, 10)
    assert last.file_handles == first.file_handles + 10 * (PARTS - 1)
    assert last.memory_kib > first.memory_kib + 5_000
    assert sys.platform == "linux"
