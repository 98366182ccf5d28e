"""Corrupt settings affect no other workspace, are logged, and can be repaired."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields

import pytest

from tests.click_factory import CAMPAIGN, NOON, make_click
from tests.contract.corrupt_settings import CORRUPT_SETTINGS, store_settings_text
from tests.tally_factory import create_tally
from waypost.api.workspace_settings import SettingsChange, WorkspaceSettingsService
from waypost.clicks.settings_cache import FAIL_CLOSED_SETTINGS, SettingsCache
from waypost.composition import Repositories
from waypost.errors import CorruptItem, InvalidRequest
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.maintenance.recount import RecountService
from waypost.models.click import Click
from waypost.models.workspace import WorkspaceSettings
from waypost.privacy.erasure import Erasure
from waypost.tally.event_publisher import ClickWithVerdict

ACME, GLOBEX = derive_workspace_id("acme"), derive_workspace_id("globex")
OTHER = derive_campaign_id("globex", "spring-sale")
FIELDS = [field.name for field in fields(WorkspaceSettings)]


@pytest.mark.parametrize("field", CORRUPT_SETTINGS)
def test_error_names_the_corrupt_settings_and_their_workspace(
    stores: Repositories, field: str, caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    store_settings_text(stores.workspaces, ACME, "acme", CORRUPT_SETTINGS[field])
    with pytest.raises(CorruptItem, match=f"workspace {ACME}.*'{field}'"):
        stores.workspaces.get_settings(ACME)
    [told] = caplog.records
    assert (vars(told)["row"], vars(told)["workspace"]) == ("settings", ACME)
    assert f"'{field}'" in vars(told)["why"]
    assert '"RowDamaged":1' in capsys.readouterr().out


@pytest.mark.parametrize("text", ["[]", '"truncated"', "null", "7", "{", "", "[" * 100_000])
def test_settings_that_are_no_object_are_corrupt_in_every_field(
    stores: Repositories, text: str
) -> None:
    store_settings_text(stores.workspaces, ACME, "acme", text)
    with pytest.raises(CorruptItem, match="machine_threshold"):
        stores.workspaces.get_settings(ACME)
    assert list(stores.workspaces.get_settings_with_version("acme").corrupt_fields) == FIELDS


def test_valid_fields_beside_a_corrupt_one_are_read(stores: Repositories) -> None:
    store_settings_text(
        stores.workspaces, ACME, "acme", '{"retention_days": 7, "ip": 4, "later": 1}'
    )
    stored = stores.workspaces.get_settings_with_version("acme")
    assert (stored.settings, stored.version) == (WorkspaceSettings(retention_days=7), 1)
    assert stored.corrupt_fields == ("ip",)


@pytest.mark.parametrize("field", CORRUPT_SETTINGS)
def test_corrupt_settings_do_not_stop_counting_in_any_workspace(
    stores: Repositories, field: str
) -> None:
    store_settings_text(stores.workspaces, GLOBEX, "globex", CORRUPT_SETTINGS[field])
    told: list[Click] = []

    class Bus:
        def publish(self, clicks: Sequence[ClickWithVerdict]) -> set[str]:
            told.extend(made for made, _ in clicks)
            return {made.id for made, _ in clicks}

    tally = create_tally(stores, Bus())
    counted = tally.count_clicks(
        [make_click("a", campaign=OTHER), make_click("b"), make_click("c", person="p2")]
    )
    assert (counted.new_count, counted.failed_ids) == (3, set())
    assert stores.campaigns.get_counts(OTHER).total.human == 1
    assert stores.campaigns.get_counts(CAMPAIGN).total.human == 2
    assert {made.id for made in told} == {"b", "c"}  # whether the other wants it is not known


def test_last_readable_settings_are_used_while_stored_ones_are_corrupt(
    stores: Repositories,
) -> None:
    now = [0.0]
    policies = SettingsCache(stores.workspaces, monotonic=lambda: now[0])
    stores.workspaces.save_settings("acme", WorkspaceSettings(ip="full", machine_threshold=90))
    assert policies.get_or_raise(ACME).machine_threshold == 90
    store_settings_text(stores.workspaces, ACME, "acme", "{")
    now[0] += 100
    assert policies.get_or_raise(ACME).machine_threshold == 90
    assert SettingsCache(stores.workspaces).get_or_raise(ACME) is FAIL_CLOSED_SETTINGS


def build_settings_change(**given: object) -> SettingsChange:
    return SettingsChange.model_validate_json(json.dumps(given))


COMPLETE_SETTINGS = {
    "url_params": {"utm_source": "mail"},
    "shorten": {"sms": True},
    "schemes": ["myapp"],
    "never_track": [],
    "signed_params": [],
    "short_link_days": None,
    "retention_days": 7,
    "ip": "none",
    "secret_links": "untrack",
    "events": "first",
    "machine_threshold": 90,
    "cio_id": False,
    "track_opens": False,
}


@pytest.mark.parametrize("field", CORRUPT_SETTINGS)
def test_put_repairs_settings_only_if_it_gives_every_corrupt_field(
    stores: Repositories, field: str
) -> None:
    store_settings_text(stores.workspaces, ACME, "acme", CORRUPT_SETTINGS[field])
    configuration = WorkspaceSettingsService(stores.workspaces)
    other = "cio_id" if field != "cio_id" else "track_opens"
    with pytest.raises(InvalidRequest) as refused:
        configuration.change_settings("acme", build_settings_change(**{other: False}))
    assert [problem.field for problem in refused.value.problems] == [field]
    told = configuration.change_settings(
        "acme", build_settings_change(**{other: False, field: COMPLETE_SETTINGS[field]})
    )
    assert configuration.get_settings("acme") == told
    assert getattr(stores.workspaces.get_settings(ACME), other) is False
    assert stores.workspaces.get_settings_with_version("acme").corrupt_fields == ()


def test_settings_corrupt_in_every_field_are_repaired_by_giving_all(stores: Repositories) -> None:
    store_settings_text(stores.workspaces, ACME, "acme", "{")
    configuration = WorkspaceSettingsService(stores.workspaces)
    with pytest.raises(InvalidRequest) as refused:
        configuration.change_settings(
            "acme",
            build_settings_change(**{n: v for n, v in COMPLETE_SETTINGS.items() if n != "ip"}),
        )
    assert [problem.field for problem in refused.value.problems] == ["ip"]
    configuration.change_settings("acme", build_settings_change(**COMPLETE_SETTINGS))
    assert stores.workspaces.get_settings(ACME).retention_days == 7


def test_stored_value_that_no_put_accepts_is_named_when_it_is_read(stores: Repositories) -> None:
    store_settings_text(stores.workspaces, ACME, "acme", '{"schemes": ["no scheme"]}')
    configuration = WorkspaceSettingsService(stores.workspaces)
    with pytest.raises(CorruptItem, match="schemes"):
        configuration.get_settings("acme")
    with pytest.raises(InvalidRequest, match="schemes"):
        configuration.change_settings("acme", build_settings_change(cio_id=False))
    assert configuration.change_settings("acme", build_settings_change(schemes=[])).schemes == []


def test_erasure_ignores_corrupt_settings_and_keeps_verdicts(stores: Repositories) -> None:
    made = [make_click(f"c{n}", person="erika", agent="") for n in range(2)]  # 70 points each
    stores.workspaces.save_settings("acme", WorkspaceSettings(machine_threshold=500))
    for one in made:
        stores.clicks.record(one)
    create_tally(stores).count_clicks(made)
    before = stores.campaigns.get_counts(CAMPAIGN)
    assert before.total.human == 2
    store_settings_text(stores.workspaces, ACME, "acme", CORRUPT_SETTINGS["machine_threshold"])
    erasing = Erasure(stores, scans_tables=True)
    assert erasing.erase(ACME, "erika", NOON).is_complete
    assert stores.campaigns.get_counts(CAMPAIGN) == before


def test_recount_fails_on_corrupt_settings(
    stores: Repositories,
) -> None:
    stores.clicks.record(make_click("a"))
    stores.clicks.record(make_click("b", campaign=OTHER))
    store_settings_text(stores.workspaces, ACME, "acme", CORRUPT_SETTINGS["machine_threshold"])
    recounting = RecountService(
        stores.clicks, stores.campaigns, stores.recipients, stores.workspaces
    )
    tally = create_tally(stores)
    with pytest.raises(CorruptItem, match="machine_threshold"):
        recounting.repair(CAMPAIGN, tally)
    assert stores.campaigns.get_counts(CAMPAIGN).total.total == 0
    assert recounting.repair(OTHER, tally).is_consistent
