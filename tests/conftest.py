"""What holds for all tests: no account of whoever runs them, no clock in a property, and what takes
long begins first.
"""

import gc
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

for name in [name for name in os.environ if name.startswith(("AWS_", "POWERTOOLS_"))]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["BOTO_DISABLE_CRT"] = "true"  # SAM brings that library along, and the layer has none

from tests.shifted_clock import CLOCK_VARIABLE, shift_clock  # noqa: E402 - as below

# Before other modules of tests are imported: some compute dates then.
if os.environ.get(CLOCK_VARIABLE):
    shift_clock(os.environ[CLOCK_VARIABLE])

from tests.leak_monitor import LEAK_MONITOR, SecretLeakMonitor  # noqa: E402 - it reads the environment

# How long an example takes says more about the machine than about the code.
settings.register_profile("waypost", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=20)  # for make test-fast
settings.load_profile("waypost")


@pytest.fixture(scope="session", autouse=True)
def watch() -> Iterator[SecretLeakMonitor]:
    """Hears whatever our code says in this process."""
    with pytest.MonkeyPatch.context() as patch:
        LEAK_MONITOR.install(patch)
        yield LEAK_MONITOR


@pytest.fixture(autouse=True)
def fail_on_secret_output(watch: SecretLeakMonitor) -> Iterator[None]:
    """A test fails, whatever it is about, if our code says what is secret while it runs."""
    yield
    said, watch.leaks = watch.leaks, []
    assert not said, said[0]


_LATEST_START: Final = {"packaging": 0.3, "e2e": 0.6, "faults": 0.7, "docs": 0.6}
"""By when the files of a folder have begun, as a share of all files; others take until the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of each folder are spread over the run, so that what computes runs beside what waits
    for a stack or a build. Those that take long have begun before the end: nobody waits for one
    while other processors have nothing to do.
    """
    folders = defaultdict[str, list[Path]](list)
    for path in dict.fromkeys(item.path for item in items):
        folders[_test_folder(path)].append(path)
    place = {
        path: _LATEST_START.get(folder, 1) * number / len(paths)
        for folder, paths in folders.items()
        for number, path in enumerate(paths)
    }
    items.sort(key=lambda item: (place[item.path], item.path))


def _test_folder(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).parts[0]


def pytest_collection_finish() -> None:
    """What was imported stays. Looking through all of it for garbage took an eighth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
