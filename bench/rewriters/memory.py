"""Measure the peak memory of rewriting one message, in its own process.

    python -m bench.rewriters.memory REWRITER LINKS SIZE

The figure is the peak resident memory during the call minus the memory before it, with all
libraries loaded and one small message rewritten. Unlike tracemalloc, it includes libraries in C.
Only Linux has it (``VmHWM``, reset by ``clear_refs``).
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.rewriters import waypost_rewriter
from bench.rewriters.alternatives import BenchRecipient, Rewriter, list_rewriters
from bench.rewriters.messages import build_mailing

WAYPOST = Rewriter("Waypost, never seen", waypost_rewriter.rewrite_uncached)
MESSAGES = ((40, 100_000), (200, 500_000))


def measure_rewrite_peak(rewriter: Rewriter, links: int, size: int) -> int:
    """Measure the bytes that rewriting a message adds to this process at its peak."""
    rewriter.rewrite(build_mailing(1, 1_000), BenchRecipient())
    message = build_mailing(links, size)
    Path("/proc/self/clear_refs").write_text("5")
    before = _read_status("VmRSS")
    rewriter.rewrite(message, BenchRecipient())
    return _read_status("VmHWM") - before


def _read_status(name: str) -> int:
    match = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1]) * 1024


def print_peaks(names: Sequence[str]) -> None:
    """Print the peak of each rewriter, each in its own process."""
    if not Path("/proc/self/clear_refs").exists():
        print("\nMemory: skipped; only Linux has the figure")
        return
    titles = [f"{links} links, {size // 1000} KB" for links, size in MESSAGES]
    print(f"\n{'Memory at the peak, MB':<28}" + "".join(f"{title:>22}" for title in titles))
    for name in [*names, WAYPOST.name]:
        peaks = (_measure_in_process(name, links, size) / 1e6 for links, size in MESSAGES)
        print(f"{name:<28}" + "".join(f"{each:>22.1f}" for each in peaks))


def _measure_in_process(name: str, links: int, size: int) -> int:
    command = [sys.executable, "-m", __name__, name, str(links), str(size)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(run.stdout)


def main() -> None:
    name, links, size = sys.argv[1:]
    (rewriter,) = (each for each in [*list_rewriters(), WAYPOST] if each.name == name)
    print(measure_rewrite_peak(rewriter, int(links), int(size)))


if __name__ == "__main__":
    main()
