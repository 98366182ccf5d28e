"""Compile the locks from pyproject.toml.

    python -m tools.lock            write them; keep every version that still fits
    python -m tools.lock --upgrade  write them with the newest versions
    python -m tools.lock --check    change nothing; fail if a lock would change

    requirements.lock                all dependencies, for every Python and platform of the project
    layers/waypost/requirements.txt  the functions' part, for Lambda's Python and processor
    tools/installer.lock             uv, in the version of requirements.lock; pip installs it first
    tools/TOOL.lock                  tools that the project does not import: each has its own
                                     libraries, which may be older than those of the project

No lock names a registry.
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FULL_LOCK = Path("requirements.lock")
LAYER_LOCK = Path("layers/waypost/requirements.txt")
INSTALLER_LOCK = Path("tools/installer.lock")
TOOL_GROUPS = {
    "auditor": "audit",
    "emulator": "emulate",
    "fuzzer": "fuzz",
    "rivals": "compare",
    "roto": "engine",
    "scanner": "scan",
}
"""Tools with the group of each in pyproject.toml."""
TOOL_LOCKS = {tool: Path(f"tools/{tool}.lock") for tool in TOOL_GROUPS}
LOCKS = (FULL_LOCK, LAYER_LOCK, INSTALLER_LOCK, *TOOL_LOCKS.values())

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
    full, layer, installer = folder / FULL_LOCK, folder / LAYER_LOCK, folder / INSTALLER_LOCK
    for derived in (layer, installer):
        derived.unlink(missing_ok=True)  # only the full lock decides versions
    _compile_lock(full, "pyproject.toml", "--group", "dev", *UNIVERSAL_OPTIONS, *fresh)
    _compile_lock(layer, "pyproject.toml", *LAMBDA_OPTIONS, "--constraints", full)
    _compile_lock(installer, "--group", "install", *UNIVERSAL_OPTIONS, "--constraints", full)
    for tool, group in TOOL_GROUPS.items():
        _compile_lock(folder / TOOL_LOCKS[tool], "--group", group, *UNIVERSAL_OPTIONS, *fresh)


def _compile_lock(lock: Path, *arguments: str | Path) -> None:
    subprocess.run([*COMPILE_COMMAND, *arguments, "--output-file", lock], cwd=ROOT, check=True)


def diff_locks() -> str:
    """Compile the locks elsewhere, and return the unified diff; empty if they are up to date."""
    with tempfile.TemporaryDirectory() as scratch:
        for lock in LOCKS:
            Path(scratch, lock).parent.mkdir(parents=True, exist_ok=True)
            Path(scratch, lock).write_text(_read_lock(lock))
        compile_locks(Path(scratch), upgrade=False)
        return "".join(_diff_lock(lock, Path(scratch, lock)) for lock in LOCKS)


def _read_lock(lock: Path) -> str:
    """Read a lock; a new one that was not compiled yet is empty."""
    return (ROOT / lock).read_text() if (ROOT / lock).exists() else ""


def _diff_lock(lock: Path, compiled: Path) -> str:
    lines = difflib.unified_diff(
        _read_lock(lock).splitlines(keepends=True),
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
