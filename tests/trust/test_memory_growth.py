"""Memory and file handles of the functions do not grow over an hour of traffic.

An hour is 36,000 clicks at ten a second, and the invocations of other functions that they cause.
`make soak` runs the whole hour and prints the figures; the tests run a few minutes of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.trust import traffic
from tests.trust.attempts import count_attempts
from tests.trust.fake_aws import run_fake_aws
from tests.trust.function_process import FunctionProcess, ProcessSample, run_function
from waypost.aws.event_bus import MAX_CONCURRENT_PUT_EVENTS

PARTS = 8


@dataclass(frozen=True)
class Hour:
    """An hour of a function, and the limits of its memory and file handles."""

    events: Callable[[], Iterator[dict[str, Any]]]
    short: int
    """Invocations in the tests."""
    long: int
    """Invocations in `make soak`."""
    growth: int
    """KiB that memory may grow in the second half, when all caches are full."""
    limit: int
    """KiB that memory never exceeds; a short run ends with caches half full."""
    spare: int = 0
    """File handles that may be added: connections that are opened only on demand."""


HOURS = {
    "redirect": Hour(
        traffic.generate_click_events, 800, 36_000, growth=1_024, limit=64_000, spare=1
    ),  # the connection to the fallback queue
    # It publishes events in concurrent calls, so the number of open connections is random.
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
def require_proc(socket_enabled: None) -> None:
    """Enable sockets for the fake services, and skip without Linux's /proc."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc to measure the memory of a process")


@pytest.mark.parametrize("name", HOURS)
def test_memory_and_file_handles_do_not_grow(name: str) -> None:
    hour = HOURS[name]
    invocations = count_attempts(hour.short, hour.long)
    items = [*traffic.build_short_link_items(), *traffic.build_campaign_items()]
    with (
        run_fake_aws(items) as services,
        run_function(name, services.url, hour.events()) as process,
    ):
        samples = list(_measure_parts(process, invocations // PARTS))
        assert services.call_count > invocations // 2
    print(
        name,
        invocations,
        *(f"{s.memory_kib / 1024:.1f}" for s in samples),
        "MiB",
        samples[-1].file_handles,
    )
    assert samples[-1].memory_kib < hour.limit
    assert (
        max(sample.file_handles for sample in samples[1:]) <= samples[1].file_handles + hour.spare
    )
    if count_attempts(0, 1):
        middle = samples[PARTS // 2]
        assert samples[-1].memory_kib - middle.memory_kib < hour.growth, samples


def _measure_parts(process: FunctionProcess, invocations: int) -> Iterator[ProcessSample]:
    for _ in range(PARTS):
        process.invoke(invocations)
        yield process.measure()


def test_memory_and_file_handle_leak_is_detected(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "leak = []\n"
        "def handler(event, context):\n"
        "    leak.append((bytes(100_000), open(__file__)))\n"
    )
    events: Iterator[dict[str, Any]] = iter(dict, None)
    with run_function(str(tmp_path), "http://127.0.0.1:9", events) as process:
        first, *_, last = _measure_parts(process, 10)
    assert last.file_handles == first.file_handles + 10 * (PARTS - 1)
    assert last.memory_kib > first.memory_kib + 5_000
    assert sys.platform == "linux"
