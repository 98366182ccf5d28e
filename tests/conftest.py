"""Settings of all tests: environment, clock, search for leaked secrets, order and garbage."""

import gc
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

# Without them, no test can reach the AWS account of the caller.
for name in [name for name in os.environ if name.startswith(("AWS_", "POWERTOOLS_"))]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["BOTO_DISABLE_CRT"] = "true"  # SAM installs awscrt, the layer has none

from tests.shifted_clock import CLOCK_VARIABLE, shift_clock  # noqa: E402 - as below

# Some test modules compute dates when they are imported.
if os.environ.get(CLOCK_VARIABLE):
    shift_clock(os.environ[CLOCK_VARIABLE])

from tests.leak_monitor import LEAK_MONITOR, SecretLeakMonitor  # noqa: E402 - it reads the environment

# The time of an example depends more on the machine than on the code.
settings.register_profile("waypost", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=20)  # for make test-fast
settings.load_profile("waypost")


@pytest.fixture(scope="session", autouse=True)
def leak_monitor() -> Iterator[SecretLeakMonitor]:
    """Search all output of the code in this process for secrets."""
    with pytest.MonkeyPatch.context() as patch:
        LEAK_MONITOR.install(patch)
        yield LEAK_MONITOR


@pytest.fixture(autouse=True)
def fail_on_secret_output(leak_monitor: SecretLeakMonitor) -> Iterator[None]:
    """Fail each test during which the code writes a secret to a log, a metric or a response."""
    yield
    leaks, leak_monitor.leaks = leak_monitor.leaks, []
    assert not leaks, leaks[0]


_LATEST_START: Final = {"packaging": 0.3, "e2e": 0.6, "faults": 0.7, "docs": 0.6}
"""The share of all files before which the last file of a folder starts; 1 for other folders."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files of each folder over the run, slow folders towards its start.

    Tests that compute then run beside tests that wait for a stack or a build, and no slow file
    starts last while the other processes of xdist are idle.
    """
    folders = defaultdict[str, list[Path]](list)
    for path in dict.fromkeys(item.path for item in items):
        folders[_test_folder(path)].append(path)
    position = {
        path: _LATEST_START.get(folder, 1) * number / len(paths)
        for folder, paths in folders.items()
        for number, path in enumerate(paths)
    }
    items.sort(key=lambda item: (position[item.path], item.path))


def _test_folder(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).parts[0]


def pytest_collection_finish() -> None:
    """Exclude the imported modules from garbage collection, which made the tests about 10% slower.

    Measured with 589 tests (tests/contract, tests/unit/repositories), two runs each: 62 and 78 s
    with this hook, 72 and 85 s without it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
