from __future__ import annotations

import fcntl
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.packaging.sam_build import RUNTIME, Build, find_runtime_python, run_sam_build


@pytest.fixture(scope="session")
def lambda_build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build for Lambda, as `make build` does."""
    return _build_once(
        _shared_folder(tmp_path_factory) / "lambda",
        {"RUNTIME_PYTHON": find_runtime_python() or f"python{RUNTIME}"},
    )


@pytest.fixture(scope="session")
def local_build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build for the Python version and the processor that run the tests."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    variables = {"RUNTIME": version, "RUNTIME_PYTHON": sys.executable, "PLATFORMS": ""}
    return _build_once(_shared_folder(tmp_path_factory) / "local", variables)


def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all xdist processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if base.name.startswith("popen-") else base


def _build_once(folder: Path, variables: Mapping[str, str]) -> Build:
    """Build in the first process that asks; the others wait for its lock and reuse the result."""
    folder.mkdir(exist_ok=True)
    output = folder / "output"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if output.exists():
            return Build(folder / "build", output.read_text("utf-8"))
        build = run_sam_build(folder / "build", variables)
        output.write_text(build.output, "utf-8")
        return build
