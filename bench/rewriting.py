"""Rewriting side by side: a message never seen and one more recipient, beside what others do.

    make bench-rewriting        installs what is compared with into build/rivals
    python -m bench.rewriting [matrix|shapes|templates|real|growth|memory|hostile …]

Everything is measured in one process, in turns (memory in one for each); a figure is the median of
the processor time of one call, ± half of what the middle half of the rounds spans. Ratios are what
carries over to other machines.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from bench.rewriters import memory, tables
from bench.rewriters import tables as growth
from bench.rewriters import tables as hostile
from bench.rewriters.alternatives import list_missing_libraries, list_rewriters


def main() -> None:
    """Measure what is asked for, all without an argument, and print tables."""
    others = list_rewriters()
    if list_missing_libraries():
        print(
            f"left out, since not here: {', '.join(list_missing_libraries())}"
            " (make bench-rewriting installs them)"
        )
    parts: dict[str, Callable[[], None]] = {
        "matrix": lambda: tables.print_matrix(others),
        "shapes": lambda: tables.print_shapes(others),
        "templates": lambda: tables.print_templates(others),
        "real": lambda: tables.print_real_emails(others),
        "growth": growth.print_growth,
        "memory": lambda: memory.print_peaks([each.name for each in others]),
        "hostile": hostile.print_hostile,
    }
    for part in sys.argv[1:] or parts:
        parts[part]()


if __name__ == "__main__":
    main()
