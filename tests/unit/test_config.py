"""Functions read their environment, or name the missing variable."""

import pytest

from waypost.config import (
    DomainConfig,
    FunctionConfig,
    RedirectConfig,
    RewriteConfig,
    ShareLinkConfig,
)
from waypost.errors import ConfigurationError

REDIRECT = {
    "CLICKS_TABLE": "clicks",
    "WORKSPACES_TABLE": "workspaces",
    "SHORT_LINKS_TABLE": "short-links",
    "KEYRING_SECRET": "keyring",
    "PARK_QUEUE_URL": "https://queue",
    "RETENTION_DAYS": "400",
}


def test_variables_are_read_by_the_names_of_the_fields() -> None:
    settings = RedirectConfig.from_env(REDIRECT | {"UNKNOWN": "x"})
    assert settings.clicks_table == "clicks"
    assert settings.retention_days == 400
    assert settings.origin_secrets == ()
    assert not settings.is_origin_locked


@pytest.mark.parametrize("variable", REDIRECT)
@pytest.mark.parametrize("value", [None, "", "  "], ids=["absent", "empty", "blank"])
def test_missing_variable_is_named(variable: str, value: str | None) -> None:
    environment = {**REDIRECT, variable: value or ""}
    if value is None:
        del environment[variable]
    with pytest.raises(ConfigurationError, match=f"{variable} is not set") as caught:
        RedirectConfig.from_env(environment)
    assert caught.value.variable == variable


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "many", "٣"])
def test_invalid_number_is_named_with_its_value(days: str) -> None:
    with pytest.raises(ConfigurationError, match=r"RETENTION_DAYS is .*not a whole number"):
        RedirectConfig.from_env({**REDIRECT, "RETENTION_DAYS": days})


def test_invalid_lock_is_named() -> None:
    with pytest.raises(ConfigurationError, match="ORIGIN_LOCK is 'ajar'"):
        RedirectConfig.from_env({**REDIRECT, "ORIGIN_LOCK": "ajar"})


def test_closed_lock_requires_a_secret() -> None:
    with pytest.raises(ConfigurationError, match="ORIGIN_SECRETS is not set"):
        RedirectConfig.from_env({**REDIRECT, "ORIGIN_LOCK": "closed", "ORIGIN_SECRETS": ","})
    locked = RedirectConfig.from_env({**REDIRECT, "ORIGIN_LOCK": "closed", "ORIGIN_SECRETS": "a,b"})
    assert locked.is_origin_locked
    assert locked.origin_secrets == ("a", "b")


def test_trailing_slash_of_an_origin_is_removed() -> None:
    settings = ShareLinkConfig.from_env({"PAGES_URL": "https://pages.example.com/"})
    assert settings.pages_url == "https://pages.example.com"


def test_missing_optional_variable_has_its_default() -> None:
    settings = DomainConfig.from_env({"WORKSPACES_TABLE": "w", "EDGE_ENDPOINT": "e"})
    assert (settings.default_host, settings.event_bus) == ("", "")


def test_required_variables_are_listed() -> None:
    assert RewriteConfig.list_variables()["RETENTION_DAYS"]
    assert not RewriteConfig.list_variables()["DEFAULT_HOST"]


@pytest.mark.parametrize(
    "settings", FunctionConfig.__subclasses__(), ids=lambda each: each.__name__
)
def test_every_field_has_a_parser(settings: type[FunctionConfig]) -> None:
    values = {"RETENTION_DAYS": "1", "TENANT_QUOTA": "1", "CERTIFICATE_QUOTA": "1"}
    settings.from_env(dict.fromkeys(settings.list_variables(), "open") | values)
