"""What a megabyte of one thing takes, to show that nothing is worse than in proportion."""

from __future__ import annotations

import time
import tracemalloc

from bench.rewriters import waypost_rewriter
from bench.rewriters.alternatives import BenchRecipient

HOSTILE_UNITS = {
    "<a ": "<a ",
    "<": "<",
    "<!--": "<!--",
    "<!--[if mso]>": "<!--[if mso]>",
    '<a href="x (never closed)': '<a href="x',
    "<div> (nested)": "<div>",
    "<a href=x>": "<a href=https://e.com/>",
    "{% cio_link": "{% cio_link url:x ",
    "{{": "{{ ",
}


def print_hostile() -> None:
    """Print time and memory of each, compiled and stamped once."""
    print(f"\n{'A megabyte of':<36}{'ms':>8}{'MiB of Python objects':>24}")
    for name, unit in HOSTILE_UNITS.items():
        content = unit * (1_000_000 // len(unit))
        started = time.process_time()
        waypost_rewriter.rewrite_uncached(content, BenchRecipient())
        spent = time.process_time() - started
        tracemalloc.start()
        waypost_rewriter.rewrite_uncached(content, BenchRecipient())
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        print(f"{name:<36}{spent * 1000:>8.0f}{peak:>24.0f}")
