from __future__ import annotations

import pytest

from tests.clicks import CAMPAIGN, NOON, SENT
from tests.contract.conftest import Stores
from waypost.codes import campaign_code, workspace_code
from waypost.errors import Clash
from waypost.model.workspace import Shortening, WorkspaceSettings

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
        monkeypatch.setattr(f"waypost.store.{module}.workspaces.workspace_code", lambda _: ACME)
    with pytest.raises(Clash, match="globex"):
        stores.workspaces.save("globex", WorkspaceSettings())


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
