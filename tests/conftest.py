"""What holds for all tests: no account of whoever runs them, and no clock in a property."""

import os
from collections.abc import Iterator

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
