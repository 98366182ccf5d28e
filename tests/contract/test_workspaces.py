from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.click_factory import CAMPAIGN, NOON, SENT
from tests.dynamodb_tables import TemporaryTables
from waypost.composition import Repositories
from waypost.errors import WriteConflict
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.models.workspace import (
    ERASURE_RECORD_DAYS,
    ShortLinkChannels,
    WorkspaceSettings,
)
from waypost.repositories.workspaces import VersionedSettings

ACME = derive_workspace_id("acme")
GLOBEX = derive_workspace_id("globex")


def test_workspace_without_settings_has_the_defaults(stores: Repositories) -> None:
    assert stores.workspaces.get_settings(ACME) == WorkspaceSettings()


def test_settings_are_read_as_they_were_saved(stores: Repositories) -> None:
    settings = WorkspaceSettings(
        url_params={"utm_source": "é", "a": "{{ customer.id }}"},
        cio_id=False,
        shorten=ShortLinkChannels(sms=True),
        retention_days=30,
        ip="none",
        schemes=("myapp",),
        never_track=("https://example.com/*",),
        signed_params=("chk",),
        events="first",
        machine_threshold=90,
    )
    stores.workspaces.save_settings("acme", settings)
    assert stores.workspaces.get_settings(ACME) == settings
    assert list(stores.workspaces.get_settings(ACME).url_params) == ["utm_source", "a"]
    stores.workspaces.save_settings("acme", WorkspaceSettings())
    assert stores.workspaces.get_settings(ACME) == WorkspaceSettings()


def test_every_save_increments_the_version(stores: Repositories) -> None:
    assert stores.workspaces.get_settings_with_version("acme") == VersionedSettings(
        WorkspaceSettings(), 0
    )
    stores.workspaces.save_settings("acme", WorkspaceSettings(cio_id=False), expected_version=0)
    assert stores.workspaces.get_settings_with_version("acme") == VersionedSettings(
        WorkspaceSettings(cio_id=False), 1
    )
    stores.workspaces.save_settings("acme", WorkspaceSettings(cio_id=True), expected_version=1)
    stores.workspaces.save_settings("acme", WorkspaceSettings(retention_days=9))
    assert stores.workspaces.get_settings_with_version("acme") == VersionedSettings(
        WorkspaceSettings(retention_days=9), 3
    )


@pytest.mark.parametrize("saved", [0, 1, 2])
@pytest.mark.parametrize("over", [0, 1, 2, 3])
def test_settings_are_saved_only_over_the_version_that_was_read(
    stores: Repositories, saved: int, over: int
) -> None:
    for _ in range(saved):
        stores.workspaces.save_settings("acme", WorkspaceSettings(retention_days=1))
    before = stores.workspaces.get_settings_with_version("acme")
    if over == saved:
        stores.workspaces.save_settings(
            "acme", WorkspaceSettings(retention_days=2), expected_version=over
        )
        assert stores.workspaces.get_settings(ACME).retention_days == 2
        return
    with pytest.raises(WriteConflict):
        stores.workspaces.save_settings(
            "acme", WorkspaceSettings(retention_days=2), expected_version=over
        )
    assert stores.workspaces.get_settings_with_version("acme") == before


def test_settings_without_a_version_are_read_and_replaced(
    dynamodb_stores: Repositories, tables: TemporaryTables
) -> None:
    tables.client.put_item(
        TableName=tables.workspaces,
        Item={
            "pk": {"S": f"W#{ACME}"},
            "sk": {"S": "W"},
            "name": {"S": "acme"},
            "settings": {"S": '{"retention_days": 7}'},
        },
    )
    assert dynamodb_stores.workspaces.get_settings_with_version("acme") == VersionedSettings(
        WorkspaceSettings(retention_days=7), 0
    )
    dynamodb_stores.workspaces.save_settings("acme", WorkspaceSettings(), expected_version=0)
    assert dynamodb_stores.workspaces.get_settings_with_version("acme") == VersionedSettings(
        WorkspaceSettings(), 1
    )


def test_people_who_opted_out_are_found_among_others(stores: Repositories) -> None:
    wish = stores.workspaces.opt_out(ACME, "p1", NOON)
    people = {(ACME, "p1"), (ACME, "p2"), (GLOBEX, "p1")}
    assert stores.workspaces.get_opt_outs(people) == {(ACME, "p1"): wish}
    assert stores.workspaces.get_opt_outs(set()) == {}


def test_opting_out_again_changes_nothing(stores: Repositories) -> None:
    wish = stores.workspaces.opt_out(ACME, "p1", SENT)
    assert stores.workspaces.opt_out(ACME, "p1", NOON) == wish


def test_opt_out_after_an_opt_in_gives_another_alias(stores: Repositories) -> None:
    before = stores.workspaces.opt_out(ACME, "p1", SENT)
    stores.workspaces.opt_in(ACME, "p1", NOON)
    assert stores.workspaces.get_opt_outs({(ACME, "p1")}) == {}
    after = stores.workspaces.opt_out(ACME, "p1", NOON)
    assert before.derive_alias(CAMPAIGN) != after.derive_alias(CAMPAIGN)


def test_erasure_is_remembered_after_an_opt_in(stores: Repositories) -> None:
    key = (ACME, "p1")
    before = stores.workspaces.opt_out(ACME, "p1", SENT, is_erased=True)
    assert (before.is_active, before.erased) == (True, SENT)
    for _ in range(2):
        stores.workspaces.opt_in(ACME, "p1", NOON)
    ended = stores.workspaces.get_opt_outs([key])[key]
    assert (ended.is_active, ended.erased, ended.opted_in) == (False, SENT, NOON)
    assert ended.derive_alias(CAMPAIGN) != before.derive_alias(CAMPAIGN)
    assert (ended.covers(SENT), ended.covers(SENT + timedelta(seconds=1))) == (True, False)
    again = stores.workspaces.opt_out(ACME, "p1", NOON)
    assert (again.is_active, again.since, again.erased) == (True, NOON, SENT)
    assert stores.workspaces.get_opt_outs([key]) == {key: again}


def test_repeated_erasure_keeps_the_opt_out_and_its_alias(stores: Repositories) -> None:
    before = stores.workspaces.opt_out(ACME, "p1", SENT)
    erased = stores.workspaces.opt_out(ACME, "p1", NOON, is_erased=True)
    assert erased == replace(before, erased=NOON)
    assert stores.workspaces.opt_out(ACME, "p1", NOON) == erased


def test_ended_opt_out_expires_and_an_active_one_does_not(stores: Repositories) -> None:
    active = stores.workspaces.opt_out(ACME, "p1", SENT, is_erased=True)
    assert "expires" not in active.to_item()
    stores.workspaces.opt_in(ACME, "p1", NOON)
    ended = stores.workspaces.get_opt_outs([(ACME, "p1")])[ACME, "p1"]
    expires = int((NOON + timedelta(days=ERASURE_RECORD_DAYS)).timestamp())
    assert ended.to_item()["expires"] == {"N": str(expires)}


def test_aliases_of_a_person_differ_by_campaign(stores: Repositories) -> None:
    wish = stores.workspaces.opt_out(ACME, "p1", SENT)
    assert wish.derive_alias(CAMPAIGN) == wish.derive_alias(CAMPAIGN)
    assert wish.derive_alias(CAMPAIGN) != wish.derive_alias(derive_campaign_id("acme", "autumn"))


def test_an_opt_out_does_not_name_the_person(stores: Repositories) -> None:
    wish = stores.workspaces.opt_out(ACME, "somebody@example.com", SENT)
    assert "somebody" not in str(wish.to_item())
