"""Sends the recipient who clicks on to where the link went."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from waypost.aws import LeanClient
from waypost.aws.clients import impatient_client, key_client
from waypost.clicks.fallback_queue import ParkQueue
from waypost.clicks.request import HttpEvent, came_through_front, read_request
from waypost.clicks.settings_cache import Policies
from waypost.config import RedirectSettings
from waypost.errors import ExpiredShortLink, StoreUnavailable, TokenError
from waypost.observability import Metric, count, logger
from waypost.redirect.responses import locked, no_way, nothing_here, pixel, way_on
from waypost.redirect.service import Arrival, Kept, Lookup, Redirecting, Tokens
from waypost.repositories.dynamodb.clicks import DynamoClicks
from waypost.repositories.dynamodb.short_links import DynamoShortLinks
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaces
from waypost.responses import Response
from waypost.tokens.keyring import KeyringSource
from waypost.tokens.repair import asks_for_pixel, rest_of_path

if TYPE_CHECKING:
    from waypost.repositories.domains import DomainStore

log = logger("redirect")

_METRICS: Final = {
    Kept.RECORDED: Metric.CLICK_REDIRECTED,
    Kept.REPEATED: Metric.CLICK_REPEATED,
    Kept.PARKED: Metric.CLICK_PARKED,
    Kept.LOGGED: Metric.CLICK_LOGGED_ONLY,
}
_OF_OPENS: Final = _METRICS | {Kept.RECORDED: Metric.OPEN_RECORDED}


def handler(event: HttpEvent, context: object) -> Response:  # noqa: ARG001
    """API Gateway, payload format 2.0: 302 to where the link went, else a plain page; to a pixel
    the GIF, whatever happens. Each 4xx is counted: what others the API answers, it refused itself.
    """
    answer = _answer(event)
    if 400 <= answer["statusCode"] < 500:
        count(Metric.LINK_REFUSED)
    return answer


def _answer(event: HttpEvent) -> Response:
    if asks_for_pixel(event.get("rawPath", "")):
        _note_open(event)
        return pixel()
    through_front = _through_front(event)
    if _locked_out(through_front=through_front):
        return locked()
    try:
        if event.get("rawPath", "").startswith("/.well-known/"):
            return _well_known(event, through_front=through_front)
        return _led_on(_followed(event, through_front=through_front))
    except TokenError as refused:
        if not isinstance(refused, ExpiredShortLink):
            count(Metric.TOKEN_REFUSED, reason=refused.reason)
        return no_way(refused)
    except StoreUnavailable as away:
        log.exception("a link cannot be opened")
        return no_way(away)


def _through_front(event: HttpEvent) -> bool:
    return came_through_front(event.get("headers", {}), _settings().origin_secrets)


def _locked_out(*, through_front: bool) -> bool:
    refused = _settings().origin_locked and not through_front
    if refused:
        count(Metric.ORIGIN_REFUSED)
    return refused


def _well_known(event: HttpEvent, *, through_front: bool) -> Response:
    """Probes of tracking domains, and files for apps. Loaded here, since no click needs it."""
    from waypost.redirect import well_known

    headers = event.get("headers", {})
    noted = headers.get("x-waypost-host") if through_front else None
    answer = well_known.answer(
        event["rawPath"],
        noted or headers.get("host", ""),
        lambda: _keys().current(),
        _domains,
    )
    return answer or nothing_here()


def _followed(event: HttpEvent, *, through_front: bool) -> Arrival:
    path = event.get("pathParameters") or {}
    request = read_request(event, through_front=through_front)
    if "code" in path:
        return _redirecting().follow_short(path["code"], request)
    return _redirecting().follow(_token(event), request)


def _note_open(event: HttpEvent) -> None:
    try:
        through_front = _through_front(event)
        if _locked_out(through_front=through_front):
            return
        request = read_request(event, through_front=through_front)
        kept = _redirecting().opened(_token(event), request)
        if kept in _OF_OPENS:
            count(_OF_OPENS[kept])
    except TokenError as refused:
        count(Metric.TOKEN_REFUSED, reason=refused.reason)
    except Exception:  # a message must never show a broken image for our sake
        count(Metric.OPEN_LOST)
        log.exception("an open was not kept")


def _token(event: HttpEvent) -> str:
    path = event.get("pathParameters") or {}
    if "signature" in path:
        return f"{path['payload']}/{path['signature']}"
    return rest_of_path(event.get("rawPath", ""))  # an encoded slash matches no route of ours


def _led_on(arrival: Arrival) -> Response:
    if arrival.kept in _METRICS:
        count(_METRICS[arrival.kept])
    return way_on(arrival.href)


@cache
def _settings() -> RedirectSettings:
    return RedirectSettings.from_env()


@cache
def _keys() -> KeyringSource:
    return KeyringSource(key_client(), _settings().keyring_secret)


@cache
def _dynamodb() -> LeanClient:
    return impatient_client("dynamodb")


@cache
def _domains() -> DomainStore:
    from waypost.repositories.dynamodb.domains import DynamoDomains

    return DynamoDomains(_dynamodb(), _settings().workspaces_table)


@cache
def _redirecting() -> Redirecting:
    settings, dynamodb = _settings(), _dynamodb()
    return Redirecting(
        tokens=Tokens(_keys()),
        ledger=DynamoClicks(dynamodb, settings.clicks_table),
        parking=ParkQueue(lambda: impatient_client("sqs"), settings.park_queue_url),
        policies=Policies(DynamoWorkspaces(dynamodb, settings.workspaces_table)),
        lookup=Lookup(DynamoShortLinks(dynamodb, settings.short_links_table)),
        retention_days=settings.retention_days,
        log=log,
    )
