"""A tracking domain as others see it: callers of the API, report pages, the operator."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ValidationError

from waypost.domains.dns import proof_name, proof_value
from waypost.domains.lights.light import Colour, Light
from waypost.domains.lights.panel import lights
from waypost.domains.model import STACK, Role, Stage, TrackingDomain, Use
from waypost.domains.schemas import AppLinksBody
from waypost.errors import MalformedItem


class LightStatus(BaseModel):
    """One of sending, dns, http, https. ``waiting``: nothing to do but wait; ``off``: not needed
    or not checked.
    """

    colour: Colour
    expected: str
    found: str
    since: datetime | None
    next_step: str


class DnsRecord(BaseModel):
    """A record to be made at the customer's DNS provider."""

    type: Literal["CNAME", "TXT"]
    name: str
    value: str
    when: str


class ChangeStatus(BaseModel):
    """A change of stage, of use, or of the sending domain's verification."""

    at: datetime
    before: str
    after: str
    reason: str


class DomainStatus(BaseModel):
    """Everything that is known of a domain. ``base_url``: what links of messages begin with, None
    while the stack's default host is used instead. ``history``: newest first. ``checked``: when
    everything was last looked at. What a check had no time for while its caller waited is waiting,
    *not looked at yet*, in the answer to that call alone; nothing else of the domain changes by it.
    """

    host: str
    workspace: str
    sending_domain: str | None
    role: Role
    stage: Stage
    use: Use
    since: datetime
    base_url: str | None
    next_step: str
    lights: dict[str, LightStatus]
    records: list[DnsRecord]
    app_links: AppLinksBody
    checked: datetime | None
    next_check: datetime
    failures: int
    history: list[ChangeStatus]


class DomainList(BaseModel):
    """A workspace's domains, oldest first; those that are being removed too."""

    domains: list[DomainStatus]


def status_of(domain: TrackingDomain, target: str) -> DomainStatus:
    """``target`` is the name that the domain's CNAME has to point at. Raises MalformedItem for apps
    that nobody could have set.
    """
    lit = lights(domain, target)
    return DomainStatus(
        host=domain.host,
        workspace=domain.workspace_name,
        sending_domain=None if domain.workspace == STACK else domain.sending.domain,
        role=domain.role,
        stage=domain.stage,
        use=domain.use,
        since=domain.since,
        base_url=_base_url(domain),
        next_step=next_step(domain, lit),
        lights={name: LightStatus(**asdict(light)) for name, light in lit.items()},
        records=_records(domain, target),
        app_links=_apps(domain),
        checked=domain.checked,
        next_check=domain.due,
        failures=domain.failures,
        history=[ChangeStatus(**asdict(change)) for change in reversed(domain.history)],
    )


def _apps(domain: TrackingDomain) -> AppLinksBody:
    try:
        return AppLinksBody.model_validate(domain.app_links.stored())
    except ValidationError as e:
        raise MalformedItem(f"the domain {domain.host} has apps that cannot be read") from e


def next_step(domain: TrackingDomain, lit: dict[str, Light]) -> str:
    """The one thing to do now, in plain words; empty where there is nothing to do."""
    if domain.use == "removed":
        return "Being removed. Links already sent work on it until its DNS record is gone."
    if domain.use == "reverted":
        return "Reverted: new messages use the default host until its owner restores it."
    red = [light.next_step for light in lit.values() if light.colour == "red"]
    # Of what waits, the last is what the others wait for.
    waiting = [light.next_step for light in reversed(lit.values()) if light.colour == "waiting"]
    return next(filter(None, red + waiting), "")


def _base_url(domain: TrackingDomain) -> str | None:
    usable = domain.works if domain.workspace == STACK else domain.usable
    return domain.base_url if usable else None


def _records(domain: TrackingDomain, target: str) -> list[DnsRecord]:
    """The DNS records to be made; the TXT record only where it is needed."""
    return [
        DnsRecord(type="CNAME", name=domain.host, value=target, when="always"),
        DnsRecord(
            type="TXT",
            name=proof_name(domain.host),
            value=proof_value(domain.proof),
            when=(
                "only where the CNAME is flattened, a proxy of your own stands in between, or the "
                "host is not in the sending domain"
            ),
        ),
    ]
