"""Fuzz one target, guided by coverage; the corpus is kept in build/fuzz between runs.

python -m fuzz TARGET SECONDS
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["waypost", "liquid", "email", "html"]):
    from fuzz.targets import TARGETS

CORPUS_FOLDER = Path(__file__).parents[1] / "build" / "fuzz"


def main(name: str, seconds: str) -> None:
    if name not in TARGETS:
        raise SystemExit(f"TARGET: unknown ({name}); choose one of {', '.join(TARGETS)}")
    target, corpus = TARGETS[name], CORPUS_FOLDER / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    artifacts = f"-artifact_prefix={CORPUS_FOLDER}/{name}-"
    limits = (f"-max_total_time={seconds}", "-max_len=8192", "-timeout=20")
    atheris.Setup(["fuzz", *limits, artifacts, str(corpus)], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
