"""Functions start with what their environment says, or say what it lacks."""

import pytest

from waypost.config import (
    DomainSettings,
    RedirectSettings,
    RewriteSettings,
    Settings,
    SharingSettings,
)
from waypost.errors import SettingsError

REDIRECT = {
    "CLICKS_TABLE": "clicks",
    "WORKSPACES_TABLE": "workspaces",
    "SHORT_LINKS_TABLE": "short-links",
    "KEYRING_SECRET": "keyring",
    "PARK_QUEUE_URL": "https://queue",
    "RETENTION_DAYS": "400",
}


def test_variables_are_read_by_the_names_of_the_fields() -> None:
    settings = RedirectSettings.from_env(REDIRECT | {"UNKNOWN": "x"})
    assert settings.clicks_table == "clicks"
    assert settings.retention_days == 400
    assert settings.origin_secrets == ()
    assert not settings.origin_locked


@pytest.mark.parametrize("variable", REDIRECT)
@pytest.mark.parametrize("value", [None, "", "  "], ids=["absent", "empty", "blank"])
def test_a_variable_that_is_not_set_is_named(variable: str, value: str | None) -> None:
    environment = {**REDIRECT, variable: value or ""}
    if value is None:
        del environment[variable]
    with pytest.raises(SettingsError, match=f"{variable} is not set") as caught:
        RedirectSettings.from_env(environment)
    assert caught.value.variable == variable


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "many", "٣"])
def test_a_number_that_is_none_is_named_and_shown(days: str) -> None:
    with pytest.raises(SettingsError, match=r"RETENTION_DAYS is .*not a whole number"):
        RedirectSettings.from_env({**REDIRECT, "RETENTION_DAYS": days})


def test_a_lock_that_is_neither_open_nor_closed_is_named() -> None:
    with pytest.raises(SettingsError, match="ORIGIN_LOCK is 'ajar'"):
        RedirectSettings.from_env({**REDIRECT, "ORIGIN_LOCK": "ajar"})


def test_a_closed_lock_needs_a_secret_that_opens_it() -> None:
    with pytest.raises(SettingsError, match="ORIGIN_SECRETS is not set"):
        RedirectSettings.from_env({**REDIRECT, "ORIGIN_LOCK": "closed", "ORIGIN_SECRETS": ","})
    locked = RedirectSettings.from_env(
        {**REDIRECT, "ORIGIN_LOCK": "closed", "ORIGIN_SECRETS": "a,b"}
    )
    assert locked.origin_locked
    assert locked.origin_secrets == ("a", "b")


def test_an_address_ends_without_a_slash() -> None:
    settings = SharingSettings.from_env({"PAGES_URL": "https://pages.example.com/"})
    assert settings.pages_url == "https://pages.example.com"


def test_what_may_be_missing_is_empty_then() -> None:
    settings = DomainSettings.from_env({"WORKSPACES_TABLE": "w", "EDGE_ENDPOINT": "e"})
    assert (settings.default_host, settings.event_bus) == ("", "")


def test_what_has_to_be_set_is_told() -> None:
    assert RewriteSettings.variables()["RETENTION_DAYS"]
    assert not RewriteSettings.variables()["DEFAULT_HOST"]


@pytest.mark.parametrize("settings", Settings.__subclasses__(), ids=lambda each: each.__name__)
def test_every_field_can_be_read(settings: type[Settings]) -> None:
    values = {"RETENTION_DAYS": "1", "TENANT_QUOTA": "1", "CERTIFICATE_QUOTA": "1"}
    settings.from_env(dict.fromkeys(settings.variables(), "open") | values)
