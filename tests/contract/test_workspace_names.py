"""The first write of a workspace claims its id for its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any, ClassVar

import pytest

from tests.colliding_names import COLLIDING, OWNER
from tests.dynamodb_tables import TemporaryTables
from tests.fakes import create_in_memory_repositories
from waypost.composition import Repositories
from waypost.errors import AlreadyExists
from waypost.ids import derive_workspace_id
from waypost.models.workspace import WorkspaceSettings
from waypost.repositories.workspaces import VersionedSettings, WorkspaceRepository

ID = derive_workspace_id(OWNER)

READS: dict[str, Callable[[WorkspaceRepository, str], object]] = {
    "resolve_id": lambda workspaces, name: workspaces.resolve_id(name),
    "get_settings_by_name": lambda workspaces, name: workspaces.get_settings_by_name(name),
    "get_settings_with_version": lambda workspaces, name: workspaces.get_settings_with_version(
        name
    ),
}
WRITES: dict[str, Callable[[WorkspaceRepository, str], object]] = {
    "claim_id": lambda workspaces, name: workspaces.claim_id(name),
    "save_settings": lambda workspaces, name: workspaces.save_settings(name, WorkspaceSettings()),
}


class ObservedClient:
    """A DynamoDB client that counts calls, and runs a hook before the first read is answered.

    One item is written at a time, as in DynamoDB.
    """

    _write_lock: ClassVar = Lock()

    def __init__(self, client: Any, after_first_read: Callable[[], object]) -> None:
        self._client = client
        self._after_first_read = after_first_read
        self.calls: Counter[str] = Counter()

    def get_item(self, **request: Any) -> Any:
        self.calls["get_item"] += 1
        answer = self._client.get_item(**request)
        if self.calls["get_item"] == 1:
            self._after_first_read()
        return answer

    def update_item(self, **request: Any) -> Any:
        self.calls["update_item"] += 1
        with self._write_lock:
            return self._client.update_item(**request)


def observe_workspaces(
    tables: TemporaryTables, after_first_read: Callable[[], object] = lambda: None
) -> tuple[WorkspaceRepository, Counter[str]]:
    """Return a repository of another process, and the counter of its calls."""
    client: Any = ObservedClient(tables.client, after_first_read)
    return Repositories(client, tables.names).workspaces, client.calls


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("other", [*READS, *WRITES])
def test_other_name_with_a_claimed_id_is_refused(
    stores: Repositories, write: str, other: str
) -> None:
    WRITES[write](stores.workspaces, OWNER)
    with pytest.raises(AlreadyExists) as refused:
        (READS | WRITES)[other](stores.workspaces, COLLIDING)
    assert "choose another name" in str(refused.value)
    assert COLLIDING in str(refused.value)
    assert OWNER not in str(refused.value)
    (READS | WRITES)[other](stores.workspaces, OWNER)


@pytest.mark.parametrize("read", READS)
def test_a_read_claims_nothing(stores: Repositories, read: str) -> None:
    READS[read](stores.workspaces, COLLIDING)
    assert stores.workspaces.claim_id(OWNER) == ID


def test_claimed_workspace_has_the_default_settings_until_it_saves_some(
    stores: Repositories,
) -> None:
    stores.workspaces.claim_id(OWNER)
    assert stores.workspaces.get_settings(ID) == WorkspaceSettings()
    assert stores.workspaces.get_settings_by_name(OWNER) == WorkspaceSettings()
    assert stores.workspaces.get_settings_with_version(OWNER) == VersionedSettings(
        WorkspaceSettings(), 0
    )
    changed = WorkspaceSettings(retention_days=7)
    stores.workspaces.save_settings(OWNER, changed, expected_version=0)
    assert stores.workspaces.get_settings_by_name(OWNER) == changed


def test_a_claim_changes_no_settings(stores: Repositories) -> None:
    changed = WorkspaceSettings(retention_days=7)
    stores.workspaces.save_settings(OWNER, changed)
    assert stores.workspaces.claim_id(OWNER) == ID
    assert stores.workspaces.get_settings_with_version(OWNER) == VersionedSettings(changed, 1)


@pytest.mark.parametrize("write", WRITES)
def test_settings_of_an_older_release_without_a_name_belong_to_the_first_writer(
    dynamodb_stores: Repositories, tables: TemporaryTables, write: str
) -> None:
    _put_settings_item(tables, settings='{"retention_days": 7}')
    workspaces = dynamodb_stores.workspaces
    for name in (OWNER, COLLIDING):
        assert workspaces.get_settings_by_name(name).retention_days == 7
    WRITES[write](workspaces, OWNER)
    with pytest.raises(AlreadyExists):
        workspaces.get_settings_by_name(COLLIDING)
    assert workspaces.get_settings(ID).retention_days == (7 if write == "claim_id" else None)


def test_claimed_item_is_readable_by_releases_that_require_settings(
    dynamodb_stores: Repositories, tables: TemporaryTables
) -> None:
    dynamodb_stores.workspaces.claim_id(OWNER)
    (item,) = tables.client.scan(TableName=tables.workspaces)["Items"]
    assert item == {
        "pk": {"S": f"W#{ID}"},
        "sk": {"S": "W"},
        "name": {"S": OWNER},
        "settings": {"S": "{}"},
    }


@pytest.fixture(params=["memory", "dynamodb"])
def racers(request: pytest.FixtureRequest) -> list[WorkspaceRepository]:
    """Return the repositories of two processes. Those of DynamoDB read before either writes."""
    if request.param == "memory":
        return [create_in_memory_repositories().workspaces] * 2
    tables: TemporaryTables = request.getfixturevalue("tables")
    both_have_read = Barrier(2)
    return [observe_workspaces(tables, after_first_read=both_have_read.wait)[0] for _ in range(2)]


def test_exactly_one_of_two_concurrent_first_writers_wins(
    racers: list[WorkspaceRepository],
) -> None:
    start = Barrier(2)

    def claim(workspaces: WorkspaceRepository, name: str) -> str | None:
        start.wait()
        try:
            workspaces.claim_id(name)
        except AlreadyExists:
            return None
        return name

    with ThreadPoolExecutor(2) as pool:
        (winner,) = filter(None, pool.map(claim, racers, (OWNER, COLLIDING)))
    for workspaces in racers:
        assert workspaces.claim_id(winner) == ID
        with pytest.raises(AlreadyExists):
            workspaces.claim_id(OWNER if winner == COLLIDING else COLLIDING)


def test_first_writer_that_read_before_another_wrote_is_refused(tables: TemporaryTables) -> None:
    rival, _ = observe_workspaces(tables)
    workspaces, _ = observe_workspaces(tables, after_first_read=lambda: rival.claim_id(OWNER))
    with pytest.raises(AlreadyExists, match="another name"):
        workspaces.claim_id(COLLIDING)
    assert rival.resolve_id(OWNER) == ID


def test_two_first_writers_of_one_name_both_succeed(tables: TemporaryTables) -> None:
    rival, _ = observe_workspaces(tables)
    workspaces, _ = observe_workspaces(tables, after_first_read=lambda: rival.claim_id(OWNER))
    assert workspaces.claim_id(OWNER) == ID


def test_first_write_reads_and_writes_one_item(tables: TemporaryTables) -> None:
    workspaces, calls = observe_workspaces(tables)
    workspaces.claim_id(OWNER)
    assert calls == {"get_item": 1, "update_item": 1}


def test_known_owner_is_neither_read_nor_written_again(tables: TemporaryTables) -> None:
    observe_workspaces(tables)[0].claim_id(OWNER)
    workspaces, calls = observe_workspaces(tables)
    workspaces.get_settings_by_name(OWNER)
    for _ in range(3):
        workspaces.claim_id(OWNER)
        workspaces.resolve_id(OWNER)
    assert calls == {"get_item": 1}


def _put_settings_item(tables: TemporaryTables, **values: str) -> None:
    item = {"pk": f"W#{ID}", "sk": "W"} | values
    tables.client.put_item(
        TableName=tables.workspaces, Item={name: {"S": text} for name, text in item.items()}
    )
