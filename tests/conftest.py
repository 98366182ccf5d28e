"""What holds for all tests: no account of whoever runs them, no clock in a property, and what takes
long begins first.
"""

import gc
import os
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

for name in [name for name in os.environ if name.startswith(("AWS_", "POWERTOOLS_"))]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["BOTO_DISABLE_CRT"] = "true"  # SAM brings that library along, and the layer has none

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


_LONG: Final = (("e2e",), ("faults",), ("packaging", "docs"))
"""Folders whose files take long: they wait for a stack, compute, or wait for builds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first: one that is left to the end is waited for while other processors
    have nothing to do. They take turns, so that what computes runs beside what waits, and not all
    wait for the same build.
    """
    files = list(dict.fromkeys(item.path for item in items))
    stacks, computing, builds = (_of(files, folders) for folders in _LONG)
    turns = zip_longest(stacks[::2], stacks[1::2], computing, builds)
    place = {path: number for number, path in enumerate(filter(None, chain(*turns)))}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def _of(files: Sequence[Path], folders: Sequence[str]) -> list[Path]:
    """The files of some folders, in the order of these."""
    return [path for folder in folders for path in files if _folder(path) == folder]


def _folder(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).parts[0]


def pytest_collection_finish() -> None:
    """What was imported stays. Looking through all of it for garbage took an eighth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
