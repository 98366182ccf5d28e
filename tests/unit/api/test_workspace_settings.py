"""Validation, merging and concurrent changes of workspace settings."""

import json
from dataclasses import replace

import pytest

from tests.fakes import InMemoryWorkspaceRepository
from tests.forbidden_schemes import FORBIDDEN_SCHEMES
from waypost.api.workspace_settings import SettingsChange, WorkspaceSettingsService
from waypost.errors import ConcurrentModification, InvalidRequest
from waypost.ids import derive_workspace_id
from waypost.models.workspace import ShortLinkChannels, WorkspaceSettings
from waypost.validation import parse_json


def build_change(**keys: object) -> SettingsChange:
    return parse_json(SettingsChange, json.dumps(keys))


def test_a_change_replaces_only_its_own_keys() -> None:
    before = WorkspaceSettings(
        retention_days=30, schemes=("acme",), shorten=ShortLinkChannels(sms=True)
    )
    after = build_change(cio_id=False, shorten={"whatsapp": True}).apply_to(before)
    assert after == WorkspaceSettings(
        retention_days=30,
        schemes=("acme",),
        cio_id=False,
        shorten=ShortLinkChannels(sms=True, whatsapp=True),
    )


def test_an_empty_change_changes_nothing() -> None:
    settings = WorkspaceSettings(url_params={"utm_source": "mail"})
    assert build_change().apply_to(settings) == settings


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"cio_id": "yes"}, "cio_id"),
        ({"url_params": {"a": 1}}, "url_params.a"),
        ({"url_params": {"": "x"}}, "url_params"),
        ({"shorten": {"email": True}}, "shorten.email"),
        ({"retention_days": 0}, "retention_days"),
        ({"ip": "hashed"}, "ip"),
        ({"schemes": ["https://"]}, "schemes[0]"),
        ({"schemes": ["acme", "JavaScript"]}, "schemes[1]"),
        ({"never_track": [""]}, "never_track[0]"),
        ({"signed_params": ["chk", ""]}, "signed_params[1]"),
        ({"signed_params": ["chk="]}, "signed_params[0]"),
        ({"signed_params": ["?chk"]}, "signed_params[0]"),
        ({"signed_params": ["x" * 101]}, "signed_params[0]"),
    ],
)
def test_an_invalid_setting_is_reported_by_its_field(keys: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build_change(**keys)
    assert caught.value.problems[0].field.startswith(field)


@pytest.mark.parametrize("scheme", FORBIDDEN_SCHEMES)
def test_a_scheme_that_runs_code_or_starts_handlers_is_refused(scheme: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build_change(schemes=["acme", scheme.upper()])
    (problem,) = caught.value.problems
    assert problem.field == "schemes[1]"
    assert scheme in problem.reason


def test_forbidden_scheme_of_an_earlier_version_is_dropped_from_settings() -> None:
    workspaces = InMemoryWorkspaceRepository()
    workspaces.save_settings("acme", WorkspaceSettings(schemes=("intent", "acme"), cio_id=False))
    service = WorkspaceSettingsService(workspaces)
    assert service.get_settings("acme").schemes == ["acme"]
    assert service.change_settings("acme", build_change(cio_id=True)).schemes == ["acme"]
    assert workspaces.get_settings(derive_workspace_id("acme")).schemes == ("acme",)


def test_url_parameters_with_invalid_liquid_are_refused() -> None:
    service = WorkspaceSettingsService(InMemoryWorkspaceRepository())
    service.change_settings("acme", build_change(url_params={"utm_source": "{{ campaign.name }}"}))
    with pytest.raises(InvalidRequest) as caught:
        service.change_settings(
            "acme", build_change(url_params={"a": "b", "utm_source": "{{ campaign"})
        )
    (problem,) = caught.value.problems
    assert problem.field == "url_params.utm_source"
    assert problem.reason.startswith("is not valid Liquid")
    assert service.get_settings("acme").url_params == {"utm_source": "{{ campaign.name }}"}


def test_settings_too_large_for_an_item_are_refused() -> None:
    service = WorkspaceSettingsService(InMemoryWorkspaceRepository())
    patterns = ["\U0001f600" * 500] * 174
    service.change_settings("acme", build_change(never_track=patterns))
    schemes = [f"a{n:031}" for n in range(50)]
    with pytest.raises(InvalidRequest, match="bytes"):
        service.change_settings("acme", build_change(schemes=schemes))
    assert service.get_settings("acme").schemes == []
    assert service.get_settings("acme").never_track == patterns


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({f"p{n}": "x" for n in range(51)}, "url_params: has more than 50 items (51)"),
        ({"a": "x" * 1_001}, "url_params.a: is longer than 1,000 characters (1,001)"),
        (
            {"a" * 101: "x"},
            "url_params: has a name that is longer than 100 characters (101)",
        ),
        (
            {f"p{n:02}": "x" * 990 for n in range(50)},
            "url_params: adds more than 2,000 characters to a URL (49,750)",
        ),
        (
            {"a": "\U0001f600" * 167},
            "url_params: adds more than 2,000 characters to a URL (2,007)",
        ),
        (
            {"a": "{% for i in (1..500) %}four{% endfor %}{{ x }}"},
            "url_params: adds more than 2,000 characters to a URL (2,003)",
        ),
    ],
)
def test_parameters_that_are_too_long_for_a_url_are_refused_with_their_size(
    params: dict[str, str], problem: str
) -> None:
    service = WorkspaceSettingsService(InMemoryWorkspaceRepository())
    with pytest.raises(InvalidRequest) as caught:
        service.change_settings("acme", build_change(url_params=params))
    assert str(caught.value) == problem
    assert service.get_settings("acme").url_params == {}


def test_parameters_of_the_greatest_length_are_accepted() -> None:
    service = WorkspaceSettingsService(InMemoryWorkspaceRepository())
    params = {"a": "x" * 997, "b": "x" * 997, "data": "{{ x }}", "math": "{{ 1 | divided_by: x }}"}
    assert service.change_settings("acme", build_change(url_params=params)).url_params == params


def test_parameters_of_an_earlier_version_do_not_prevent_another_change() -> None:
    workspaces = InMemoryWorkspaceRepository()
    params = {f"p{n:02}": "x" * 990 for n in range(50)}
    workspaces.save_settings("acme", WorkspaceSettings(url_params=params))
    service = WorkspaceSettingsService(workspaces)
    assert service.change_settings("acme", build_change(cio_id=False)).url_params == params


def test_all_invalid_fields_are_reported_together() -> None:
    with pytest.raises(InvalidRequest) as caught:
        build_change(ip="hashed", colour="red", retention_days=0)
    assert {p.field for p in caught.value.problems} == {"ip", "colour", "retention_days"}


@pytest.mark.parametrize("body", [None, "", "{", "[]", "7"])
def test_a_body_that_is_not_an_object_is_refused(body: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_json(SettingsChange, body)
    assert caught.value.problems[0].field == "body"


def test_settings_round_trip_through_json() -> None:
    settings = build_change(
        url_params={"utm_source": "mail", "z": "1", "a": "2"},
        schemes=["ACME"],
        shorten={"sms": True},
        never_track=["https://example.com/*"],
        signed_params=["chk"],
        retention_days=7,
    ).apply_to(WorkspaceSettings())
    read = WorkspaceSettings.from_dict(json.loads(json.dumps(settings.to_dict())))
    assert read == settings
    assert list(read.url_params) == ["utm_source", "z", "a"]


def test_unknown_stored_keys_are_ignored() -> None:
    assert WorkspaceSettings.from_dict({"cio_id": False, "later": 1}) == WorkspaceSettings(
        cio_id=False
    )


class ContendedWorkspaceRepository(InMemoryWorkspaceRepository):
    """Lets a concurrent writer save before each of the next ``others`` saves."""

    def __init__(self, others: int) -> None:
        super().__init__()
        self.others = others

    def save_settings(
        self, workspace: str, settings: WorkspaceSettings, *, expected_version: int | None = None
    ) -> None:
        if self.others:
            self.others -= 1
            now = self.get_settings(derive_workspace_id(workspace))
            super().save_settings(
                workspace, replace(now, machine_threshold=now.machine_threshold + 1)
            )
        super().save_settings(workspace, settings, expected_version=expected_version)


def test_concurrent_changes_are_both_stored() -> None:
    workspaces = ContendedWorkspaceRepository(others=3)
    changed = WorkspaceSettingsService(workspaces).change_settings(
        "acme", build_change(cio_id=False)
    )
    assert (changed.cio_id, changed.machine_threshold) == (False, 73)
    assert workspaces.get_settings(derive_workspace_id("acme")).machine_threshold == 73


def test_a_change_that_loses_every_attempt_is_refused() -> None:
    workspaces = ContendedWorkspaceRepository(others=100)
    with pytest.raises(ConcurrentModification, match="acme"):
        WorkspaceSettingsService(workspaces).change_settings("acme", build_change(cio_id=False))
    assert workspaces.others > 80
    assert workspaces.get_settings(derive_workspace_id("acme")).cio_id
