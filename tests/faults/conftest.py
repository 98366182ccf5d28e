from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.contract.conftest import dynamodb, dynamodb_stores, kept_tables, tables
from tests.faults.fake_cloud import FakeCloud, create_fake_cloud
from tests.faults.invariants import FAULT_SEED

__all__ = ["dynamodb", "dynamodb_stores", "kept_tables", "tables"]


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeCloud]:
    """What functions call, for the tests of one file."""
    with create_fake_cloud() as made:
        yield made


@pytest.fixture(autouse=True)
def salts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliases follow from salts, and from them where their clicks go: let the seed decide."""
    print("seed", FAULT_SEED)
    random = Random(FAULT_SEED)
    monkeypatch.setattr("secrets.token_hex", lambda size: random.randbytes(size).hex())
