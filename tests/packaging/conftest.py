from __future__ import annotations

import fcntl
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.packaging.sam_build import RUNTIME, Build, run_sam_build, runtime_python


@pytest.fixture(scope="session")
def for_lambda(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """As `make build` makes it."""
    return _build_once(
        _shared_folder(tmp_path_factory) / "lambda",
        {"RUNTIME_PYTHON": runtime_python() or f"python{RUNTIME}"},
    )


@pytest.fixture(scope="session")
def for_here(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The same, for the Python and the processor that run the tests."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    here = {"RUNTIME": version, "RUNTIME_PYTHON": sys.executable, "PLATFORMS": ""}
    return _build_once(_shared_folder(tmp_path_factory) / "here", here)


def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of tests, the same for all its processes."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if base.name.startswith("popen-") else base


def _build_once(folder: Path, variables: Mapping[str, str]) -> Build:
    """A build that the first process to come makes, and the others wait for."""
    folder.mkdir(exist_ok=True)
    said = folder / "said"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if said.exists():
            return Build(folder / "build", said.read_text("utf-8"))
        build = run_sam_build(folder / "build", variables)
        said.write_text(build.output, "utf-8")
        return build
