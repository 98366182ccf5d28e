"""A tracking domain of the values that its JSON text has, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from waypost.domains.app_links import AppLinks
from waypost.domains.check_results import Caa, Dns, Findings, Hsts, Probe
from waypost.domains.model import Certificate, Change, Sending, TrackingDomain
from waypost.ids import WorkspaceCode
from waypost.model.fitting import checks

_Part = TypeVar("_Part", Dns, Probe, Hsts, Caa)


def domain_of(values: Mapping[str, Any], version: int) -> TrackingDomain:
    """A domain of the values that its text has; keys of newer versions are ignored.

    Raises LookupError, TypeError, ValueError or AttributeError where they are no domain's, but says
    nothing of the kinds of single values.
    """
    return TrackingDomain(
        workspace=WorkspaceCode(values["workspace"]),
        workspace_name=values["workspace_name"],
        host=values["host"],
        sending=_sending(values["sending"]),
        proof=values["proof"],
        added=at(values["added"]),
        role=values.get("role", "links"),
        use=values["use"],
        stage=values["stage"],
        since=at(values["since"]),
        failures=values["failures"],
        proven=values["proven"],
        findings=_findings(values["findings"]),
        lit=tuple((name, colour, at(since)) for name, colour, since in _list(values["lit"])),
        certificate=Certificate(
            values["certificate"]["status"],
            _time(values["certificate"]["requested"]),
            values["certificate"]["problem"],
        ),
        app_links=AppLinks.from_stored(values["app_links"]),
        checked=_time(values["checked"]),
        due=at(values["due"]),
        history=tuple(_change(change) for change in _list(values["history"])),
        version=version,
    )


def _sending(values: Mapping[str, Any]) -> Sending:
    return Sending(
        values["domain"],
        verified=values["verified"],
        by_operator=values["by_operator"],
        since=_time(values["since"]),
        asked=_time(values.get("asked")),
    )


def _findings(values: Mapping[str, Any] | None) -> Findings | None:
    if values is None:
        return None
    return Findings(
        dns=_part(Dns, values["dns"]),
        http=_part(Probe, values["http"]),
        https=_part(Probe, values["https"]),
        hsts=_part(Hsts, values["hsts"]),
        caa=_part(Caa, values["caa"]),
    )


def _part(kind: type[_Part], values: Mapping[str, Any]) -> _Part:
    """What was found of one kind, its lists as they are held; without keys of newer versions."""
    held = {n: values[n] for n in checks(kind) if n in values}
    lists: dict[str, Any] = {n: tuple(v) for n, v in held.items() if isinstance(v, list)}
    return kind(**held | lists)


def _list(values: object) -> Sequence[Any]:
    if not isinstance(values, list):
        raise TypeError("no list where there has to be one")
    return values


def _change(values: Mapping[str, str]) -> Change:
    return Change(at(values["at"]), values["before"], values["after"], values["reason"])


def at(text: str) -> datetime:
    """A time with its zone. Raises TypeError or ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without its zone")
    return time


def _time(text: str | None) -> datetime | None:
    return None if text is None else at(text)
