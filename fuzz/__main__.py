"""Coverage-guided fuzzing of one target; what it finds interesting is kept between runs.

python -m fuzz TARGET SECONDS
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["waypost", "liquid", "email", "html"]):
    from fuzz.targets import SEEDS, TARGETS

KEPT = Path(__file__).parents[1] / "build" / "fuzz"


def main(target: str, seconds: str) -> None:
    corpus = KEPT / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[target]):
        (corpus / f"seed-{number}").write_bytes(seed)
    found = f"-artifact_prefix={KEPT}/{target}-"
    limits = (f"-max_total_time={seconds}", "-max_len=4096", "-timeout=20")
    atheris.Setup(["fuzz", *limits, found, str(corpus)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
