"""Settings that cannot be read back stop nobody else, are told of, and can be mended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields

import pytest

from tests.clicks import CAMPAIGN, NOON, click
from tests.contract.conftest import Stores
from tests.contract.damage import SETTINGS, put_settings
from tests.fakes import MemoryMessages
from tests.tallies import tally_over
from waypost.api.workspace_settings import Configuration, SettingsChange
from waypost.clicks.settings_cache import STRICTEST, Policies
from waypost.errors import InvalidRequest, MalformedItem
from waypost.ids import campaign_code, workspace_code
from waypost.maintenance.recount import Recounting
from waypost.models.click import Click
from waypost.models.workspace import WorkspaceSettings
from waypost.privacy.erasure import Erasing
from waypost.tally.event_publisher import Told

ACME, GLOBEX = workspace_code("acme"), workspace_code("globex")
OTHER = campaign_code("globex", "spring-sale")
FIELDS = [field.name for field in fields(WorkspaceSettings)]


@pytest.mark.parametrize("field", SETTINGS)
def test_what_cannot_be_read_is_named_with_its_workspace(
    stores: Stores, field: str, caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    put_settings(stores.workspaces, ACME, "acme", SETTINGS[field])
    with pytest.raises(MalformedItem, match=f"workspace {ACME}.*'{field}'"):
        stores.workspaces.settings(ACME)
    [told] = caplog.records
    assert (vars(told)["row"], vars(told)["workspace"]) == ("settings", ACME)
    assert f"'{field}'" in vars(told)["why"]
    assert '"RowDamaged":1' in capsys.readouterr().out


@pytest.mark.parametrize("text", ["[]", '"truncated"', "null", "7", "{", "", "[" * 100_000])
def test_what_is_no_object_is_damaged_as_a_whole(stores: Stores, text: str) -> None:
    put_settings(stores.workspaces, ACME, "acme", text)
    with pytest.raises(MalformedItem, match="machine_threshold"):
        stores.workspaces.settings(ACME)
    assert list(stores.workspaces.versioned(ACME).damaged) == FIELDS


def test_what_can_be_read_beside_it_is_kept(stores: Stores) -> None:
    put_settings(stores.workspaces, ACME, "acme", '{"retention_days": 7, "ip": 4, "later": 1}')
    stored = stores.workspaces.versioned(ACME)
    assert (stored.settings, stored.version) == (WorkspaceSettings(retention_days=7), 1)
    assert stored.damaged == ("ip",)


@pytest.mark.parametrize("field", SETTINGS)
def test_clicks_of_every_workspace_are_counted(stores: Stores, field: str) -> None:
    put_settings(stores.workspaces, GLOBEX, "globex", SETTINGS[field])
    told: list[Click] = []

    class Bus:
        def tell(self, clicks: Sequence[Told]) -> set[str]:
            told.extend(made for made, _ in clicks)
            return {made.id for made, _ in clicks}

    tally = tally_over(stores, Bus())
    counted = tally.count([click("a", campaign=OTHER), click("b"), click("c", person="p2")])
    assert (counted.fresh, counted.failed) == (3, set())
    assert stores.campaigns.counts(OTHER).total.human == 1
    assert stores.campaigns.counts(CAMPAIGN).total.human == 2
    assert {made.id for made in told} == {"b", "c"}  # whether the other wants it is not known


def test_a_workspace_keeps_the_settings_it_was_last_known_to_have(stores: Stores) -> None:
    now = [0.0]
    policies = Policies(stores.workspaces, now=lambda: now[0])
    stores.workspaces.save("acme", WorkspaceSettings(ip="full", machine_threshold=90))
    assert policies.certain(ACME).machine_threshold == 90
    put_settings(stores.workspaces, ACME, "acme", "{")
    now[0] += 100
    assert policies.certain(ACME).machine_threshold == 90
    assert Policies(stores.workspaces).certain(ACME) is STRICTEST


def change(**given: object) -> SettingsChange:
    return SettingsChange.model_validate_json(json.dumps(given))


MENDED = {
    "url_params": {"utm_source": "mail"},
    "shorten": {"sms": True},
    "schemes": ["myapp"],
    "never_track": [],
    "short_link_days": None,
    "retention_days": 7,
    "ip": "none",
    "secret_links": "untrack",
    "events": "first",
    "machine_threshold": 90,
    "cio_id": False,
    "track_opens": False,
}


@pytest.mark.parametrize("field", SETTINGS)
def test_a_put_mends_them_and_leaves_no_default_in_the_place_of_a_wish(
    stores: Stores, field: str
) -> None:
    put_settings(stores.workspaces, ACME, "acme", SETTINGS[field])
    configuration = Configuration(stores.workspaces)
    other = "cio_id" if field != "cio_id" else "track_opens"
    with pytest.raises(InvalidRequest) as refused:
        configuration.changed("acme", change(**{other: False}))
    assert [problem.field for problem in refused.value.problems] == [field]
    told = configuration.changed("acme", change(**{other: False, field: MENDED[field]}))
    assert configuration.told("acme") == told
    assert getattr(stores.workspaces.settings(ACME), other) is False
    assert stores.workspaces.versioned(ACME).damaged == ()


def test_settings_that_are_none_are_mended_by_giving_all_of_them(stores: Stores) -> None:
    put_settings(stores.workspaces, ACME, "acme", "{")
    configuration = Configuration(stores.workspaces)
    with pytest.raises(InvalidRequest) as refused:
        configuration.changed("acme", change(**{n: v for n, v in MENDED.items() if n != "ip"}))
    assert [problem.field for problem in refused.value.problems] == ["ip"]
    configuration.changed("acme", change(**MENDED))
    assert stores.workspaces.settings(ACME).retention_days == 7


def test_what_no_put_would_have_kept_is_named_by_whoever_asks(stores: Stores) -> None:
    put_settings(stores.workspaces, ACME, "acme", '{"schemes": ["javascript"]}')
    configuration = Configuration(stores.workspaces)
    with pytest.raises(MalformedItem, match="schemes"):
        configuration.told("acme")
    with pytest.raises(InvalidRequest, match="schemes"):
        configuration.changed("acme", change(cio_id=False))
    assert configuration.changed("acme", change(schemes=[])).schemes == []


def test_a_person_is_erased_all_the_same_and_labels_stay_as_they_are(stores: Stores) -> None:
    made = [click(f"c{n}", person="erika", agent="") for n in range(2)]  # 70 points each
    stores.workspaces.save("acme", WorkspaceSettings(machine_threshold=500))
    for one in made:
        stores.clicks.record(one)
    tally_over(stores).count(made)
    before = stores.campaigns.counts(CAMPAIGN)
    assert before.total.human == 2
    put_settings(stores.workspaces, ACME, "acme", SETTINGS["machine_threshold"])
    erasing = Erasing(stores.clicks, stores.recipients, stores.workspaces, MemoryMessages())
    assert erasing.erase(ACME, "erika", NOON).clean
    assert stores.campaigns.counts(CAMPAIGN) == before


def test_no_recount_sets_figures_right_by_a_threshold_that_nobody_chose(stores: Stores) -> None:
    stores.clicks.record(click("a"))
    stores.clicks.record(click("b", campaign=OTHER))
    put_settings(stores.workspaces, ACME, "acme", SETTINGS["machine_threshold"])
    recounting = Recounting(stores.clicks, stores.campaigns, stores.recipients, stores.workspaces)
    tally = tally_over(stores)
    with pytest.raises(MalformedItem, match="machine_threshold"):
        recounting.repair(CAMPAIGN, tally)
    assert stores.campaigns.counts(CAMPAIGN).total.total == 0
    assert recounting.repair(OTHER, tally).right
