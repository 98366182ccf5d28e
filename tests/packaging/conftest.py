import sys

import pytest

from tests.packaging.building import RUNTIME, RUNTIME_PYTHON, Build, sam_build


@pytest.fixture(scope="session")
def for_lambda(tmp_path_factory) -> Build:
    """As `make build` makes it."""
    folder = tmp_path_factory.mktemp("lambda") / "build"
    return sam_build(folder, {"RUNTIME_PYTHON": RUNTIME_PYTHON or f"python{RUNTIME}"})


@pytest.fixture(scope="session")
def for_here(tmp_path_factory) -> Build:
    """The same, for the Python and the processor that run the tests."""
    folder = tmp_path_factory.mktemp("here") / "build"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    here = {"RUNTIME": version, "RUNTIME_PYTHON": sys.executable, "PLATFORMS": ""}
    return sam_build(folder, here)
