"""What holds for all tests: no account of whoever runs them, no clock in a property, and what takes
long begins first.
"""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

for name in [name for name in os.environ if name.startswith(("AWS_", "POWERTOOLS_"))]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

from tests.watching import WATCH, Watch  # noqa: E402 - it reads the environment

# How long an example takes says more about the machine than about the code.
settings.register_profile("waypost", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=20)  # for make test-fast
settings.load_profile("waypost")


@pytest.fixture(scope="session", autouse=True)
def watch() -> Iterator[Watch]:
    """Hears whatever our code says in this process."""
    with pytest.MonkeyPatch.context() as patch:
        WATCH.install(patch)
        yield WATCH


@pytest.fixture(autouse=True)
def nothing_secret_is_said(watch: Watch) -> Iterator[None]:
    """A test fails, whatever it is about, if our code says what is secret while it runs."""
    yield
    said, watch.spilled = watch.spilled, []
    assert not said, said[0]


_LONG: Final = ("e2e", "packaging", "docs", "faults")
"""Folders whose files take longest, longest first: a file that is left to the end is waited for
while other processors have nothing to do.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _begins(item.path.relative_to(Path(__file__).parent).parts[0]))


def pytest_collection_finish() -> None:
    """What was imported stays. Looking through all of it for garbage took an eighth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _begins(folder: str) -> int:
    return _LONG.index(folder) if folder in _LONG else len(_LONG)
