"""Compare Waypost's rewriting with other libraries: the first recipient of a message, and the next.

    make bench-rewriting        installs the other libraries into .venv/rivals
    python -m bench.rewriting [matrix|shapes|templates|real|growth|memory|hostile|work …]

All run in one process, in turns (memory: one process for each). A figure is the median of one
call's processor time, ± half of the interquartile range of the rounds. Ratios carry over to other
machines.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from bench.rewriters import memory, tables
from bench.rewriters.alternatives import list_missing_libraries, list_rewriters


def main() -> None:
    """Run the given parts, or all, and print their tables."""
    others = list_rewriters()
    if list_missing_libraries():
        print(
            f"skipped, because not installed: {', '.join(list_missing_libraries())}"
            " (make bench-rewriting installs them)"
        )
    parts: dict[str, Callable[[], None]] = {
        "matrix": lambda: tables.print_matrix(others),
        "shapes": lambda: tables.print_shapes(others),
        "templates": lambda: tables.print_templates(others),
        "real": lambda: tables.print_real_emails(others),
        "growth": tables.print_growth,
        "memory": lambda: memory.print_peaks([each.name for each in others]),
        "hostile": tables.print_hostile,
        "work": tables.print_work,
    }
    for part in sys.argv[1:] or parts:
        parts[part]()


if __name__ == "__main__":
    main()
