"""Find commands that install software, and check that they verify it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

FILES: Final = (
    *("Makefile", "layers/*/Makefile", "functions/*/Makefile", ".ci/*", ".pre-commit-config.yaml"),
    *("tools/**/*.py", "local/**/*.py", "bench/**/*.py", "fuzz/**/*.py", "tools/find-python"),
)
_INSTALL: Final = re.compile(
    r"\b(pip3? (install|download|sync|wheel)|tool (run|install)|uv (add|run|sync)|uvx|pipx"
    r"|npm (ci|exec|install)|npx|(gem|cargo|go|playwright) install|easy_install)\b"
)
_LOCK: Final = re.compile(r"[\w/*.-]+\.(?:lock|txt)(?=\s|$)")
_LOCAL_OPTIONS: Final = {"--no-deps", "--no-build-isolation", "--editable"}
"""With all of these, pip and uv install the project's own folder, and download nothing."""


def list_command_files(root: Path) -> list[Path]:
    """List the files of the project that may run an installer."""
    return sorted(path for pattern in FILES for path in root.glob(pattern) if path.is_file())


def find_unverified_installs(text: str, locks: Collection[str]) -> Iterator[str]:
    """Find the commands of a file that install something without the hashes of a lock.

    ``locks`` are the names of the locks, relative to the file. A command that spans several lines
    must continue them with backslashes.
    """
    for line in text.replace("\\\n", " ").splitlines():
        for command in re.split(r"&&|\|\||;", line):
            words = re.sub(r"[\"'(),]+", " ", command.replace("$*", "*"))
            words = " ".join(words.split())
            if _INSTALL.search(words) and not _is_verified(words, locks):
                yield words


def _is_verified(words: str, locks: Collection[str]) -> bool:
    if {*words.split()} >= _LOCAL_OPTIONS:
        return True
    if "npm ci" in words:  # it installs package-lock.json, and verifies the hashes there
        return "--ignore-scripts" in words.split()
    named = [name.lstrip("/") for name in _LOCK.findall(words)]
    known = [lock for lock in locks for pattern in named if fnmatchcase(lock, pattern)]
    return "--require-hashes" in words.split() and bool(known)
