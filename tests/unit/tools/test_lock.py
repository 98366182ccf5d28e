"""Packages in the lock do not conflict."""

from __future__ import annotations

from collections import defaultdict
from importlib.metadata import distributions


def test_locked_packages_install_no_file_twice():
    # Two stub packages once did, so the order of installation decided which one a machine had.
    owners = defaultdict(set)
    for package in distributions():
        name = package.metadata["Name"]
        for line in (package.read_text("RECORD") or "").splitlines():
            file = line.split(",", 1)[0]
            if not file.startswith(".."):
                owners[file].add(name)
    assert owners
    assert {file: names for file, names in owners.items() if len(names) > 1} == {}
