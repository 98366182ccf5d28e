from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.dynamodb_tables import dynamodb, dynamodb_stores, module_tables, tables
from tests.faults.fake_cloud import FakeCloud, create_fake_cloud
from tests.faults.invariants import FAULT_SEED

__all__ = ["dynamodb", "dynamodb_stores", "module_tables", "tables"]


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeCloud]:
    """Create the fake account that functions call, for the tests of one file."""
    with create_fake_cloud() as cloud:
        yield cloud


@pytest.fixture(autouse=True)
def seeded_salts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Derive salts from the seed: a recipient's alias, and so its shard, depends on them."""
    print("seed", FAULT_SEED)
    random = Random(FAULT_SEED)
    monkeypatch.setattr("secrets.token_hex", lambda size: random.randbytes(size).hex())
