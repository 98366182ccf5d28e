"""Keeps requirements.lock and the layer's requirements.txt in step with pyproject.toml.

    python -m tools.lock            writes both, keeping every version that still fits
    python -m tools.lock --upgrade  writes both, with the newest versions
    python -m tools.lock --check    changes nothing and fails where one of them would change

requirements.lock holds everything, for every Python and platform that the project runs on. The
layer's file is what of it the functions need, on the Lambda runtime's Python and processor. Neither
names a registry.
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
LOCK = ROOT / "requirements.lock"
LAYER = ROOT / "layers/waypost/requirements.txt"

COMPILE = (
    *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "pyproject.toml"),
    *("--generate-hashes", "--no-header", "--no-annotate"),
)
EVERYTHING = ("--group", "dev", "--universal", "--python-version", "3.11")
LAMBDA = (
    *("--python-version", "3.13", "--python-platform", "aarch64-manylinux_2_28"),
    *("--only-binary", ":all:"),
)


def compile_both(lock: Path, layer: Path, *, upgrade: bool) -> None:
    """Write both files, keeping the versions that ``lock`` holds unless they are to be upgraded."""
    fresh = ["--upgrade"] if upgrade else []
    subprocess.run([*COMPILE, *EVERYTHING, *fresh, "--output-file", lock], cwd=ROOT, check=True)
    layer.unlink(missing_ok=True)  # the lock alone decides
    subprocess.run(
        [*COMPILE, *LAMBDA, "--constraints", lock, "--output-file", layer], cwd=ROOT, check=True
    )


def differences() -> str:
    """What compiling both would change, as a unified diff; empty when they are in step."""
    with tempfile.TemporaryDirectory() as scratch:
        lock, layer = Path(scratch, LOCK.name), Path(scratch, LAYER.name)
        shutil.copy(LOCK, lock)
        compile_both(lock, layer, upgrade=False)
        return _diff(LOCK, lock) + _diff(LAYER, layer)


def _diff(committed: Path, compiled: Path) -> str:
    name = str(committed.relative_to(ROOT))
    lines = difflib.unified_diff(
        committed.read_text().splitlines(keepends=True),
        compiled.read_text().splitlines(keepends=True),
        fromfile=name,
        tofile=f"{name}, compiled anew",
    )
    return "".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description="Keep the locks in step with pyproject.toml.")
    arguments.add_argument("--check", action="store_true", help="change nothing; fail if behind")
    arguments.add_argument("--upgrade", action="store_true", help="take the newest versions")
    chosen = arguments.parse_args()
    if not chosen.check:
        compile_both(LOCK, LAYER, upgrade=chosen.upgrade)
    elif behind := differences():
        sys.exit(f"{behind}The locks are behind pyproject.toml: run `make lock`.")


if __name__ == "__main__":
    main()
