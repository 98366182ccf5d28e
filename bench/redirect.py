"""Compare the redirect with the usual build: cold starts, and processor time of a warm click.

    python -m bench.redirect [starts]      0 starts: warm clicks only

Each variant is a built artefact. Lambda's runtime client runs it in a new process of Lambda's
Python, against the same fake AWS over TLS. A cold start lasts from the start of the process to its
first response: it imports, reads key and settings, and puts the click. The variants take turns, so
that other load on the machine affects all of them. Figures are medians, and ratios are those of
medians. Processor time carries over to other machines; the wall clock depends on their load.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import builds
from bench.lambda_process import ColdStart, RedirectVariant, measure_cold_start, measure_warm_call
from bench.redirect_variants import (
    BASELINE,
    BASELINE_COMPILED,
    build_variants,
    get_event,
    start_fake_aws,
)

STARTS, WARM_ROUNDS, WARM_CALLS = 15, 5, 500
COLD_ONLY = {"Waypost without .pyc", "with all CA roots", "with gc off while starting"}


def print_cold_starts(python: Path, variants: Sequence[RedirectVariant], starts: int) -> None:
    """Print cold starts of all variants, in turns; the first round only fills caches."""
    samples: dict[str, list[ColdStart]] = {entry.name: [] for entry in variants}
    for round_ in range(starts + 1):
        for entry in variants:
            start = measure_cold_start(python, entry, get_event(entry))
            if round_:
                samples[entry.name].append(start)
    print(f"\nCold start to the first answer, {starts} starts each")
    print(f"{'':<34}{'CPU ms':>16}{'ratio':>8}{'of .pyc':>9}{'clock ms':>18}{'ratio':>8}")
    cpus = {name: [start.cpu_seconds * 1e3 for start in group] for name, group in samples.items()}
    walls = {name: [start.wall_seconds * 1e3 for start in group] for name, group in samples.items()}
    first, compiled = statistics.median(cpus[BASELINE]), statistics.median(cpus[BASELINE_COMPILED])
    first_wall = statistics.median(walls[BASELINE])
    for name in cpus:
        cpu, wall = statistics.median(cpus[name]), statistics.median(walls[name])
        print(
            f"{name:<34}{cpu:>8.0f} ±{_spread(cpus[name]):>6.0f}{cpu / first:>8.3f}"
            f"{cpu / compiled:>9.3f}{wall:>10.0f} ±{_spread(walls[name]):>6.0f}"
            f"{wall / first_wall:>8.3f}"
        )


def print_warm_calls(python: Path, variants: Sequence[RedirectVariant]) -> None:
    """Print the processor time of one warm click, with the runtime client."""
    samples: dict[str, list[float]] = {entry.name: [] for entry in variants}
    for _ in range(WARM_ROUNDS):
        for entry in variants:
            spent = measure_warm_call(python, entry, get_event(entry), WARM_CALLS)
            samples[entry.name].append(spent * 1e6)
    print(f"\nWarm click, {WARM_ROUNDS} processes of {WARM_CALLS} calls each")
    print(f"{'':<34}{'CPU µs':>16}{'ratio':>8}")
    first = statistics.median(samples[BASELINE])
    for name, values in samples.items():
        middle = statistics.median(values)
        print(f"{name:<34}{middle:>8.0f} ±{_spread(values):>6.0f}{middle / first:>8.3f}")


def _spread(values: Sequence[float]) -> float:
    """Compute half of the interquartile range."""
    quarters = statistics.quantiles(values, n=4)
    return (quarters[2] - quarters[0]) / 2


def main() -> int:
    """Build the variants and measure them; skip if Lambda's Python version is missing."""
    python = builds.find_runtime_python()
    if python is None:
        print(f"skipped: no Python {builds.RUNTIME}, Lambda's version, on this machine")
        return 0
    builds.BUILD.mkdir(parents=True, exist_ok=True)
    with start_fake_aws(builds.BUILD) as (endpoint, authority):
        entries = build_variants(python, endpoint, authority)
        starts = int(sys.argv[1]) if len(sys.argv) > 1 else STARTS
        if starts:
            print_cold_starts(python, entries, starts)
        print_warm_calls(python, [e for e in entries if e.name not in COLD_ONLY])
    return 0


if __name__ == "__main__":
    sys.exit(main())
