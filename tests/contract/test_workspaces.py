from __future__ import annotations

import pytest

from tests.clicks import CAMPAIGN, NOON, SENT
from tests.contract.conftest import Stores, Tables
from waypost.errors import Clash, Conflict
from waypost.ids import campaign_code, workspace_code
from waypost.models.workspace import Shortening, WorkspaceSettings
from waypost.repositories.workspaces import Versioned

ACME = workspace_code("acme")
GLOBEX = workspace_code("globex")


def test_a_workspace_nobody_configured_has_the_defaults(stores: Stores) -> None:
    assert stores.workspaces.settings(ACME) == WorkspaceSettings()


def test_settings_come_back_as_they_were_saved(stores: Stores) -> None:
    settings = WorkspaceSettings(
        url_params={"utm_source": "é", "a": "{{ customer.id }}"},
        cio_id=False,
        shorten=Shortening(sms=True),
        retention_days=30,
        ip="none",
        schemes=("myapp",),
        never_track=("https://example.com/*",),
        events="first",
        machine_threshold=90,
    )
    stores.workspaces.save("acme", settings)
    assert stores.workspaces.settings(ACME) == settings
    assert list(stores.workspaces.settings(ACME).url_params) == ["utm_source", "a"]
    stores.workspaces.save("acme", WorkspaceSettings())
    assert stores.workspaces.settings(ACME) == WorkspaceSettings()


def test_a_workspace_whose_code_is_anothers_is_refused(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.workspaces.save("acme", WorkspaceSettings())
    for module in ("dynamodb", "memory"):
        monkeypatch.setattr(
            f"waypost.repositories.{module}.workspaces.workspace_code", lambda _: ACME
        )
    with pytest.raises(Clash, match="globex"):
        stores.workspaces.save("globex", WorkspaceSettings())


def test_every_save_is_a_version_of_its_own(stores: Stores) -> None:
    assert stores.workspaces.versioned(ACME) == Versioned(WorkspaceSettings(), 0)
    stores.workspaces.save("acme", WorkspaceSettings(cio_id=False), over=0)
    assert stores.workspaces.versioned(ACME) == Versioned(WorkspaceSettings(cio_id=False), 1)
    stores.workspaces.save("acme", WorkspaceSettings(cio_id=True), over=1)
    stores.workspaces.save("acme", WorkspaceSettings(retention_days=9))
    assert stores.workspaces.versioned(ACME) == Versioned(WorkspaceSettings(retention_days=9), 3)


@pytest.mark.parametrize("saved", [0, 1, 2])
@pytest.mark.parametrize("over", [0, 1, 2, 3])
def test_settings_are_saved_only_over_those_that_were_read(
    stores: Stores, saved: int, over: int
) -> None:
    for _ in range(saved):
        stores.workspaces.save("acme", WorkspaceSettings(retention_days=1))
    before = stores.workspaces.versioned(ACME)
    if over == saved:
        stores.workspaces.save("acme", WorkspaceSettings(retention_days=2), over=over)
        assert stores.workspaces.settings(ACME).retention_days == 2
        return
    with pytest.raises(Conflict):
        stores.workspaces.save("acme", WorkspaceSettings(retention_days=2), over=over)
    assert stores.workspaces.versioned(ACME) == before


def test_settings_of_before_there_were_versions_are_read_and_saved_over(
    dynamodb_stores: Stores, tables: Tables
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
    assert dynamodb_stores.workspaces.versioned(ACME) == Versioned(
        WorkspaceSettings(retention_days=7), 0
    )
    dynamodb_stores.workspaces.save("acme", WorkspaceSettings(), over=0)
    assert dynamodb_stores.workspaces.versioned(ACME) == Versioned(WorkspaceSettings(), 1)


def test_people_who_opted_out_are_found_among_others(stores: Stores) -> None:
    wish = stores.workspaces.opt_out(ACME, "p1", NOON)
    people = {(ACME, "p1"), (ACME, "p2"), (GLOBEX, "p1")}
    assert stores.workspaces.opted_out(people) == {(ACME, "p1"): wish}
    assert stores.workspaces.opted_out(set()) == {}


def test_opting_out_again_changes_nothing(stores: Stores) -> None:
    wish = stores.workspaces.opt_out(ACME, "p1", SENT)
    assert stores.workspaces.opt_out(ACME, "p1", NOON) == wish


def test_who_opts_in_and_out_again_is_somebody_else(stores: Stores) -> None:
    before = stores.workspaces.opt_out(ACME, "p1", SENT)
    stores.workspaces.opt_in(ACME, "p1")
    assert stores.workspaces.opted_out({(ACME, "p1")}) == {}
    after = stores.workspaces.opt_out(ACME, "p1", NOON)
    assert before.alias(CAMPAIGN) != after.alias(CAMPAIGN)


def test_an_alias_says_nothing_across_campaigns(stores: Stores) -> None:
    wish = stores.workspaces.opt_out(ACME, "p1", SENT)
    assert wish.alias(CAMPAIGN) == wish.alias(CAMPAIGN)
    assert wish.alias(CAMPAIGN) != wish.alias(campaign_code("acme", "autumn"))


def test_an_opt_out_does_not_name_the_person(stores: Stores) -> None:
    wish = stores.workspaces.opt_out(ACME, "somebody@example.com", SENT)
    assert "somebody" not in str(wish.to_item())
