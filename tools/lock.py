"""Compile the locks from pyproject.toml.

    python -m tools.lock            write them; keep every version that still fits
    python -m tools.lock --upgrade  write them with the newest versions
    python -m tools.lock --check    change nothing; fail if a lock would change

    requirements.lock                all dependencies, for every Python and platform of the project
    layers/waypost/requirements.txt  the functions' part, for Lambda's Python and processor
    tools/scanner.lock               the template's security scanner, which needs older libraries

No lock names a registry.
"""

from __future__ import annotations

import argparse
import difflib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FULL_LOCK = Path("requirements.lock")
LAYER_LOCK = Path("layers/waypost/requirements.txt")
SCANNER_LOCK = Path("tools/scanner.lock")

COMPILE_COMMAND = (
    *(sys.executable, "-m", "tools.uv_launcher", "pip", "compile", "--quiet"),
    *("--generate-hashes", "--no-header", "--no-annotate"),
)
UNIVERSAL_OPTIONS = ("--universal", "--python-version", "3.11")
LAMBDA_OPTIONS = (
    *("--python-version", "3.13", "--python-platform", "aarch64-manylinux_2_28"),
    *("--only-binary", ":all:"),
)


def compile_locks(folder: Path, *, upgrade: bool) -> None:
    """Write all locks below ``folder``; keep the versions there unless ``upgrade``."""
    fresh = ("--upgrade",) if upgrade else ()
    lock, layer, scanner = folder / FULL_LOCK, folder / LAYER_LOCK, folder / SCANNER_LOCK
    layer.unlink(missing_ok=True)  # only the full lock decides versions
    for arguments in (
        ("pyproject.toml", "--group", "dev", *UNIVERSAL_OPTIONS, *fresh, "--output-file", lock),
        ("pyproject.toml", *LAMBDA_OPTIONS, "--constraints", lock, "--output-file", layer),
        ("--group", "scan", *UNIVERSAL_OPTIONS, *fresh, "--output-file", scanner),
    ):
        subprocess.run([*COMPILE_COMMAND, *arguments], cwd=ROOT, check=True)


def diff_locks() -> str:
    """Compile the locks elsewhere, and return the unified diff; empty if they are up to date."""
    with tempfile.TemporaryDirectory() as scratch:
        for lock in (FULL_LOCK, LAYER_LOCK, SCANNER_LOCK):
            Path(scratch, lock).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / lock, Path(scratch, lock))
        compile_locks(Path(scratch), upgrade=False)
        return "".join(
            _diff_lock(lock, Path(scratch, lock)) for lock in (FULL_LOCK, LAYER_LOCK, SCANNER_LOCK)
        )


def _diff_lock(lock: Path, compiled: Path) -> str:
    lines = difflib.unified_diff(
        (ROOT / lock).read_text().splitlines(keepends=True),
        compiled.read_text().splitlines(keepends=True),
        fromfile=str(lock),
        tofile=f"{lock}, compiled",
    )
    return "".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compile the locks from pyproject.toml.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if outdated")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    options = parser.parse_args()
    if not options.check:
        compile_locks(ROOT, upgrade=options.upgrade)
    elif difference := diff_locks():
        sys.exit(f"{difference}The locks do not match pyproject.toml; run `make lock`.")


if __name__ == "__main__":
    main()
