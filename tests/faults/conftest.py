from __future__ import annotations

from random import Random

import pytest

from tests.contract.conftest import dynamodb, dynamodb_stores, tables
from tests.faults.checking import SEED

__all__ = ["dynamodb", "dynamodb_stores", "tables"]


@pytest.fixture(autouse=True)
def salts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliases follow from salts, and from them where their clicks go: let the seed decide."""
    print("seed", SEED)
    random = Random(SEED)
    monkeypatch.setattr("secrets.token_hex", lambda size: random.randbytes(size).hex())
