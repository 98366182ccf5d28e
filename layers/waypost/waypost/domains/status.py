"""A tracking domain as JSON: for the management routes, the report pages and the operator."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from waypost.domains.domain import STACK, TrackingDomain
from waypost.domains.lights import Light, lights
from waypost.domains.records import proof_name, proof_value


def as_json(domain: TrackingDomain, target: str) -> dict[str, object]:
    """Everything that is known of a domain. ``target`` is the name its CNAME has to point at."""
    lit = lights(domain, target)
    return {
        "host": domain.host,
        "workspace": domain.workspace_name,
        "sending_domain": None if domain.workspace == STACK else domain.sending.domain,
        "role": domain.role,
        "stage": domain.stage,
        "use": domain.use,
        "since": _time(domain.since),
        "base_url": _base_url(domain),
        "next_step": next_step(domain, lit),
        "lights": {name: _light(light) for name, light in lit.items()},
        "records": _records(domain, target),
        "app_links": domain.app_links.stored(),
        "checked": _time(domain.checked),
        "next_check": _time(domain.due),
        "failures": domain.failures,
        "history": [
            asdict(change) | {"at": _time(change.at)} for change in reversed(domain.history)
        ],
    }


def next_step(domain: TrackingDomain, lit: dict[str, Light]) -> str:
    """The one thing to do now, in plain words; empty where there is nothing to do."""
    if domain.use == "removed":
        return "Being removed. Links already sent work on it until its DNS record is gone."
    if domain.use == "reverted":
        return "Reverted: new messages use the default host. Take it up again with reverted: false."
    waiting = [light for light in lit.values() if light.colour in ("red", "waiting")]
    return next((light.next_step for light in waiting if light.next_step), "")


def _base_url(domain: TrackingDomain) -> str | None:
    usable = domain.works if domain.workspace == STACK else domain.usable
    return domain.base_url if usable else None


def _records(domain: TrackingDomain, target: str) -> list[dict[str, str]]:
    """The DNS records to be made; the TXT record only where a CNAME cannot be seen."""
    return [
        {"type": "CNAME", "name": domain.host, "value": target, "when": "always"},
        {
            "type": "TXT",
            "name": proof_name(domain.host),
            "value": proof_value(domain.proof),
            "when": (
                "only where the CNAME is flattened, a proxy of your own stands in between, or the "
                "host is not in the sending domain"
            ),
        },
    ]


def _light(light: Light) -> dict[str, object]:
    return {
        "colour": light.colour,
        "expected": light.expected,
        "found": light.found,
        "since": _time(light.since),
        "next_step": light.next_step,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
