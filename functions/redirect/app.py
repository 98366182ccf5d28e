"""Sends the recipient who clicks on to where the link went."""

from __future__ import annotations

from functools import cache
from typing import Final

from waypost.clicks.request import RedirectEvent, is_from_cloudfront, parse_click_request
from waypost.composition import (
    Repositories,
    build_redirect_service,
    create_redirect_keyring,
    create_redirect_repositories,
)
from waypost.config import RedirectConfig
from waypost.errors import ExpiredShortLink, StoreUnavailable, TokenError
from waypost.observability import Metric, create_logger, emit_metric
from waypost.redirect.responses import (
    direct_access_page,
    link_error_page,
    not_found_page,
    pixel_response,
    redirect_response,
)
from waypost.redirect.service import ClickOutcome, RedirectResult, RedirectService
from waypost.responses import Response
from waypost.tokens.keyring import KeyringSource
from waypost.tokens.repair import extract_token, is_pixel_path

log = create_logger("redirect")

_CLICK_METRICS: Final = {
    ClickOutcome.RECORDED: Metric.CLICK_REDIRECTED,
    ClickOutcome.DUPLICATE: Metric.CLICK_REPEATED,
    ClickOutcome.QUEUED: Metric.CLICK_PARKED,
    ClickOutcome.LOGGED: Metric.CLICK_LOGGED_ONLY,
}
_OPEN_METRICS: Final = _CLICK_METRICS | {ClickOutcome.RECORDED: Metric.OPEN_RECORDED}


def handler(event: RedirectEvent, context: object) -> Response:  # noqa: ARG001
    """API Gateway, payload format 2.0: 302 to where the link went, else a plain page; to a pixel
    the GIF, whatever happens. Each 4xx is counted: what others the API answers, it refused itself.
    """
    answer = _route_request(event)
    if 400 <= answer["statusCode"] < 500:
        emit_metric(Metric.LINK_REFUSED)
    return answer


def _route_request(event: RedirectEvent) -> Response:
    if is_pixel_path(event.get("rawPath", "")):
        _record_open(event)
        return pixel_response()
    through_front = _is_from_cloudfront(event)
    if _fails_origin_lock(from_cloudfront=through_front):
        return direct_access_page()
    try:
        if event.get("rawPath", "").startswith("/.well-known/"):
            return _respond_well_known(event, from_cloudfront=through_front)
        return _respond(_handle_click(event, from_cloudfront=through_front))
    except TokenError as refused:
        if not isinstance(refused, ExpiredShortLink):
            emit_metric(Metric.TOKEN_REFUSED, reason=refused.reason)
        return link_error_page(refused)
    except StoreUnavailable as away:
        log.exception("a link cannot be opened")
        return link_error_page(away)


def _is_from_cloudfront(event: RedirectEvent) -> bool:
    return is_from_cloudfront(event.get("headers", {}), _settings().origin_secrets)


def _fails_origin_lock(*, from_cloudfront: bool) -> bool:
    refused = _settings().is_origin_locked and not from_cloudfront
    if refused:
        emit_metric(Metric.ORIGIN_REFUSED)
    return refused


def _respond_well_known(event: RedirectEvent, *, from_cloudfront: bool) -> Response:
    """Probes of tracking domains, and files for apps. Loaded here, since no click needs it."""
    from waypost.redirect import well_known

    headers = event.get("headers", {})
    noted = headers.get("x-waypost-host") if from_cloudfront else None
    answer = well_known.handle_well_known_request(
        event["rawPath"],
        noted or headers.get("host", ""),
        lambda: _keyring_source().get_keyring(),
        lambda: _repositories().domains,
    )
    return answer or not_found_page()


def _handle_click(event: RedirectEvent, *, from_cloudfront: bool) -> RedirectResult:
    path = event.get("pathParameters") or {}
    request = parse_click_request(event, from_cloudfront=from_cloudfront)
    if "code" in path:
        return _redirect_service().handle_short_link(path["code"], request)
    return _redirect_service().handle_click(_extract_token(event), request)


def _record_open(event: RedirectEvent) -> None:
    try:
        through_front = _is_from_cloudfront(event)
        if _fails_origin_lock(from_cloudfront=through_front):
            return
        request = parse_click_request(event, from_cloudfront=through_front)
        kept = _redirect_service().handle_open(_extract_token(event), request)
        if kept in _OPEN_METRICS:
            emit_metric(_OPEN_METRICS[kept])
    except TokenError as refused:
        emit_metric(Metric.TOKEN_REFUSED, reason=refused.reason)
    except Exception:  # a message must never show a broken image for our sake
        emit_metric(Metric.OPEN_LOST)
        log.exception("an open was not kept")


def _extract_token(event: RedirectEvent) -> str:
    path = event.get("pathParameters") or {}
    if "signature" in path:
        return f"{path['payload']}/{path['signature']}"
    return extract_token(event.get("rawPath", ""))  # an encoded slash matches no route of ours


def _respond(result: RedirectResult) -> Response:
    if result.outcome in _CLICK_METRICS:
        emit_metric(_CLICK_METRICS[result.outcome])
    return redirect_response(result.location)


@cache
def _settings() -> RedirectConfig:
    return RedirectConfig.from_env()


@cache
def _keyring_source() -> KeyringSource:
    return create_redirect_keyring(_settings())


@cache
def _repositories() -> Repositories:
    return create_redirect_repositories(_settings())


@cache
def _redirect_service() -> RedirectService:
    return build_redirect_service(_settings(), _repositories(), _keyring_source(), log)
