"""Keeps the locks in step with pyproject.toml.

    python -m tools.lock            writes them, keeping every version that still fits
    python -m tools.lock --upgrade  writes them, with the newest versions
    python -m tools.lock --check    changes nothing and fails where one of them would change

    requirements.lock                everything, for every Python and platform of the project
    layers/waypost/requirements.txt  what of it the functions need, on Lambda's Python and processor
    tools/scanner.lock               the template's security scanner, which wants older libraries

None names a registry.
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
ALL = Path("requirements.lock")
LAYER = Path("layers/waypost/requirements.txt")
SCANNER = Path("tools/scanner.lock")

COMPILE = (
    *(sys.executable, "-m", "tools.uv_launcher", "pip", "compile", "--quiet"),
    *("--generate-hashes", "--no-header", "--no-annotate"),
)
UNIVERSAL = ("--universal", "--python-version", "3.11")
LAMBDA = (
    *("--python-version", "3.13", "--python-platform", "aarch64-manylinux_2_28"),
    *("--only-binary", ":all:"),
)


def compile_into(folder: Path, *, upgrade: bool) -> None:
    """Write all locks below ``folder``, keeping versions that stand there unless upgrading."""
    fresh = ("--upgrade",) if upgrade else ()
    lock, layer, scanner = folder / ALL, folder / LAYER, folder / SCANNER
    layer.unlink(missing_ok=True)  # the lock alone decides
    for arguments in (
        ("pyproject.toml", "--group", "dev", *UNIVERSAL, *fresh, "--output-file", lock),
        ("pyproject.toml", *LAMBDA, "--constraints", lock, "--output-file", layer),
        ("--group", "scan", *UNIVERSAL, *fresh, "--output-file", scanner),
    ):
        subprocess.run([*COMPILE, *arguments], cwd=ROOT, check=True)


def differences() -> str:
    """What compiling anew would change, as a unified diff; empty when all are in step."""
    with tempfile.TemporaryDirectory() as scratch:
        for lock in (ALL, LAYER, SCANNER):
            Path(scratch, lock).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / lock, Path(scratch, lock))
        compile_into(Path(scratch), upgrade=False)
        return "".join(_diff(lock, Path(scratch, lock)) for lock in (ALL, LAYER, SCANNER))


def _diff(lock: Path, compiled: Path) -> str:
    lines = difflib.unified_diff(
        (ROOT / lock).read_text().splitlines(keepends=True),
        compiled.read_text().splitlines(keepends=True),
        fromfile=str(lock),
        tofile=f"{lock}, compiled anew",
    )
    return "".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description="Keep the locks in step with pyproject.toml.")
    arguments.add_argument("--check", action="store_true", help="change nothing; fail if behind")
    arguments.add_argument("--upgrade", action="store_true", help="take the newest versions")
    chosen = arguments.parse_args()
    if not chosen.check:
        compile_into(ROOT, upgrade=chosen.upgrade)
    elif behind := differences():
        sys.exit(f"{behind}The locks are behind pyproject.toml: run `make lock`.")


if __name__ == "__main__":
    main()
