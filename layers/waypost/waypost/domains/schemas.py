"""Request bodies of the routes for tracking domains."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from waypost.domains.hostnames import parse_host_name, parse_tracking_host
from waypost.errors import InvalidRequest
from waypost.models.tracking_domain import AndroidApp, AppLinks, DomainRole


def _validate_tracking_host(text: str) -> str:
    try:
        return parse_tracking_host(text)
    except InvalidRequest as e:
        raise ValueError(e.problems[0].reason) from None


def _validate_host_name(text: str) -> str:
    try:
        return parse_host_name(text)
    except InvalidRequest as e:
        raise ValueError(e.problems[0].reason) from None


IosAppId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{10}\.[A-Za-z0-9.-]{1,155}$")]
AndroidPackage = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+$")
]
SigningFingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{2}(:[0-9A-F]{2}){31}$")]
AppUrlPattern = Annotated[str, StringConstraints(pattern=r"^https?://", max_length=500)]


class _DomainRequestBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AndroidAppBody(_DomainRequestBody):
    package: AndroidPackage
    fingerprints: Annotated[list[SigningFingerprint], Field(min_length=1, max_length=10)]


class AppLinksBody(_DomainRequestBody):
    ios: Annotated[list[IosAppId], Field(max_length=20)] = []
    android: Annotated[list[AndroidAppBody], Field(max_length=20)] = []
    urls: Annotated[list[AppUrlPattern], Field(max_length=100)] = []

    def to_app_links(self) -> AppLinks:
        android = tuple(AndroidApp(a.package, tuple(a.fingerprints)) for a in self.android)
        return AppLinks(tuple(self.ios), android, tuple(self.urls))


class ChangeDomainRequest(_DomainRequestBody):
    """The keys to change; other keys keep their values."""

    sending_domain: Annotated[str, AfterValidator(_validate_host_name)] | None = None
    sending_verified: bool | None = None
    """Refused with 403: only operators may set it, over their own route."""
    role: DomainRole | None = None
    """``short``: a host only for the short links of text messages."""
    reverted: bool | None = None
    app_links: AppLinksBody | None = None


class ConfirmSendingRequest(_DomainRequestBody):
    """An operator's confirmation of a sending domain: of the current one by default."""

    sending_verified: bool
    """True: the sending domain is confirmed. False: ask SES again."""
    sending_domain: Annotated[str, AfterValidator(_validate_host_name)] | None = None


class AddDomainRequest(ChangeDomainRequest):
    """A new domain. By default, ``sending_domain`` is the host's parent."""

    host: Annotated[str, AfterValidator(_validate_tracking_host)]
