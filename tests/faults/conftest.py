from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.contract.conftest import dynamodb, dynamodb_stores, kept_tables, tables
from tests.faults.checking import SEED
from tests.faults.cloud import Cloud, clouds

__all__ = ["dynamodb", "dynamodb_stores", "kept_tables", "tables"]


@pytest.fixture(scope="module")
def aws() -> Iterator[Cloud]:
    """What functions call, for the tests of one file."""
    with clouds() as made:
        yield made


@pytest.fixture(autouse=True)
def salts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliases follow from salts, and from them where their clicks go: let the seed decide."""
    print("seed", SEED)
    random = Random(SEED)
    monkeypatch.setattr("secrets.token_hex", lambda size: random.randbytes(size).hex())
