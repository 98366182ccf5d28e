"""The operator's command that copies items from a restored table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.colliding_names import COLLIDING, OWNER
from tests.dynamodb_tables import TemporaryTables, temporary_table
from tools import tables as tables_tool
from tools.stack import DeployedStack
from waypost.composition import Repositories, TableNames
from waypost.ids import derive_workspace_id
from waypost.models.workspace import WorkspaceSettings

ID = derive_workspace_id(OWNER)
SAVED = WorkspaceSettings(retention_days=7)


@pytest.fixture
def restored(tables: TemporaryTables, dynamodb: Any) -> Iterator[Repositories]:
    with temporary_table(dynamodb, "WorkspacesTable") as name:
        yield Repositories(dynamodb, TableNames(workspaces=name))


@pytest.fixture
def fill_table(
    tables: TemporaryTables,
    restored: Repositories,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    monkeypatch.setattr(DeployedStack, "client", lambda *_: tables.client)
    monkeypatch.setattr(DeployedStack, "get_resource_id", lambda *_: tables.workspaces)

    def fill_table(*options: str) -> str:
        source = restored._tables.workspaces
        tables_tool.main(["--table", "WorkspacesTable", "--from", source, *options])
        return capsys.readouterr().out

    return fill_table


def test_saved_settings_replace_a_claim_that_was_made_in_between(
    dynamodb_stores: Repositories, restored: Repositories, fill_table: Any
) -> None:
    restored.workspaces.save_settings(OWNER, SAVED)
    dynamodb_stores.workspaces.claim_id(OWNER)  # by a message after the loss
    assert fill_table() == "1 items read, 1 written\n"
    assert dynamodb_stores.workspaces.get_settings(ID) == SAVED
    assert fill_table() == "1 items read, 0 written\n"


def test_restored_claim_replaces_nothing(
    dynamodb_stores: Repositories, restored: Repositories, fill_table: Any
) -> None:
    restored.workspaces.claim_id(OWNER)
    assert fill_table() == "1 items read, 1 written\n"
    assert fill_table() == "1 items read, 0 written\n"
    dynamodb_stores.workspaces.save_settings(OWNER, SAVED)
    assert fill_table() == "1 items read, 0 written\n"
    assert dynamodb_stores.workspaces.get_settings(ID) == SAVED


def test_restored_settings_replace_neither_saved_ones_nor_the_claim_of_another_name(
    dynamodb_stores: Repositories, restored: Repositories, fill_table: Any
) -> None:
    restored.workspaces.save_settings(OWNER, SAVED)
    dynamodb_stores.workspaces.claim_id(COLLIDING)
    assert fill_table() == "1 items read, 0 written\n"
    assert fill_table("--replace") == "1 items read, 1 written\n"
    dynamodb_stores.workspaces.save_settings(OWNER, WorkspaceSettings())
    assert fill_table() == "1 items read, 0 written\n"
    assert dynamodb_stores.workspaces.get_settings(ID) == WorkspaceSettings()
