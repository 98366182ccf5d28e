from __future__ import annotations

import fcntl
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.packaging.building import RUNTIME, Build, runtime_python, sam_build


@pytest.fixture(scope="session")
def for_lambda(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """As `make build` makes it."""
    return _once(
        _shared(tmp_path_factory) / "lambda",
        {"RUNTIME_PYTHON": runtime_python() or f"python{RUNTIME}"},
    )


@pytest.fixture(scope="session")
def for_here(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The same, for the Python and the processor that run the tests."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    here = {"RUNTIME": version, "RUNTIME_PYTHON": sys.executable, "PLATFORMS": ""}
    return _once(_shared(tmp_path_factory) / "here", here)


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of tests, the same for all its processes."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if base.name.startswith("popen-") else base


def _once(place: Path, variables: Mapping[str, str]) -> Build:
    """A build that the first process to come makes, and the others wait for."""
    place.mkdir(exist_ok=True)
    said = place / "said"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if said.exists():
            return Build(place / "build", said.read_text("utf-8"))
        build = sam_build(place / "build", variables)
        said.write_text(build.said, "utf-8")
        return build
