"""Run one contract suite over all repositories: in memory, and DynamoDB by moto or by the endpoint
in WAYPOST_DYNAMODB_ENDPOINT.

Known differences of moto, noted at the tests that they affect:
- it ignores ClientRequestToken, so a repeated transaction is not recognized;
- its transactions never conflict, so TransactionConflict occurs in unit tests only;
- it accepts transactions of more than 4 MB, and BatchGetItem leaves no keys unprocessed;
- a query may start at a key outside its range, which DynamoDB rejects;
- all reads are consistent, and no call is throttled.
"""

from __future__ import annotations

import pytest

from tests.dynamodb_tables import dynamodb, dynamodb_stores, module_tables, tables
from tests.fakes import create_in_memory_repositories
from waypost.composition import Repositories

__all__ = ["dynamodb", "dynamodb_stores", "module_tables", "tables"]


@pytest.fixture(params=["memory", "dynamodb"])
def stores(request: pytest.FixtureRequest) -> Repositories:
    if request.param == "memory":
        return create_in_memory_repositories()
    repositories: Repositories = request.getfixturevalue("dynamodb_stores")
    return repositories
