"""What callers may say of a tracking domain, and within which bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from waypost.domains.app_links import AndroidApp, AppLinks
from waypost.domains.hostnames import host_name, tracking_host
from waypost.domains.model import Role
from waypost.errors import InvalidRequest


def _tracking_host(text: str) -> str:
    try:
        return tracking_host(text)
    except InvalidRequest as e:
        raise ValueError(e.problems[0].reason) from None


def _host_name(text: str) -> str:
    try:
        return host_name(text)
    except InvalidRequest as e:
        raise ValueError(e.problems[0].reason) from None


IosApp = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{10}\.[A-Za-z0-9.-]{1,155}$")]
Package = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+$")]
Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{2}(:[0-9A-F]{2}){31}$")]
UrlPattern = Annotated[str, StringConstraints(pattern=r"^https?://", max_length=500)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AndroidBody(_Body):
    package: Package
    fingerprints: Annotated[list[Fingerprint], Field(min_length=1, max_length=10)]


class AppLinksBody(_Body):
    ios: Annotated[list[IosApp], Field(max_length=20)] = []
    android: Annotated[list[AndroidBody], Field(max_length=20)] = []
    urls: Annotated[list[UrlPattern], Field(max_length=100)] = []

    def value(self) -> AppLinks:
        android = tuple(AndroidApp(a.package, tuple(a.fingerprints)) for a in self.android)
        return AppLinks(tuple(self.ios), android, tuple(self.urls))


class ChangeDomain(_Body):
    """The keys to change; absent ones stay as they are."""

    sending_domain: Annotated[str, AfterValidator(_host_name)] | None = None
    sending_verified: bool | None = None
    """True: the operator vouches for the sending domain. False: ask SES again."""
    role: Role | None = None
    """``short``: a host for the short links of text messages alone."""
    reverted: bool | None = None
    app_links: AppLinksBody | None = None


class AddDomain(ChangeDomain):
    """A new domain. ``sending_domain`` is the host's parent unless given."""

    host: Annotated[str, AfterValidator(_tracking_host)]
