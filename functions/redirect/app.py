"""Redirect each click to its destination, and record clicks and opens.

CloudFront forwards the requests of all tracking domains to this function, by API Gateway's payload
format 2.0.
"""

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
from waypost.redirect.service import (
    ClickOutcome,
    RedirectService,
    direct_access_page,
    link_error_page,
    not_found_page,
    pixel_response,
    redirect_response,
)
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
    """Answer a request for a link, a pixel or a well-known path.

    The metric counts every 4xx of this function: API Gateway's own 4xx are not among them.
    """
    response = _route_request(event)
    if 400 <= response["statusCode"] < 500:
        emit_metric(Metric.LINK_REFUSED)
    return response


def _route_request(event: RedirectEvent) -> Response:
    path = event.get("rawPath", "")
    if is_pixel_path(path):
        _record_open(event)
        return pixel_response()
    from_cloudfront = _is_from_cloudfront(event)
    if _fails_origin_lock(from_cloudfront=from_cloudfront):
        return direct_access_page()
    try:
        if path.startswith("/.well-known/"):
            return _answer_well_known_request(event, from_cloudfront=from_cloudfront)
        return _redirect_click(event, from_cloudfront=from_cloudfront)
    except TokenError as e:
        if not isinstance(e, ExpiredShortLink):
            emit_metric(Metric.TOKEN_REFUSED, reason=e.reason)
        return link_error_page(e)
    except StoreUnavailable as e:
        log.exception("Unresolved link")
        return link_error_page(e)


def _is_from_cloudfront(event: RedirectEvent) -> bool:
    return is_from_cloudfront(event.get("headers", {}), _config().origin_secrets)


def _fails_origin_lock(*, from_cloudfront: bool) -> bool:
    fails = _config().is_origin_locked and not from_cloudfront
    if fails:
        emit_metric(Metric.ORIGIN_REFUSED)
    return fails


def _redirect_click(event: RedirectEvent, *, from_cloudfront: bool) -> Response:
    parameters = event.get("pathParameters") or {}
    request = parse_click_request(event, from_cloudfront=from_cloudfront)
    if "code" in parameters:
        result = _redirect_service().handle_short_link(parameters["code"], request)
    else:
        result = _redirect_service().handle_click(_extract_token(event), request)
    if result.outcome in _CLICK_METRICS:
        emit_metric(_CLICK_METRICS[result.outcome])
    return redirect_response(result.location)


def _record_open(event: RedirectEvent) -> None:
    """Record an open. Never raises: the message must not show a broken image."""
    try:
        from_cloudfront = _is_from_cloudfront(event)
        if _fails_origin_lock(from_cloudfront=from_cloudfront):
            return
        request = parse_click_request(event, from_cloudfront=from_cloudfront)
        outcome = _redirect_service().handle_open(_extract_token(event), request)
        if outcome in _OPEN_METRICS:
            emit_metric(_OPEN_METRICS[outcome])
    except TokenError as e:
        emit_metric(Metric.TOKEN_REFUSED, reason=e.reason)
    except Exception:
        emit_metric(Metric.OPEN_LOST)
        log.exception("Unrecorded open")


def _extract_token(event: RedirectEvent) -> str:
    parameters = event.get("pathParameters") or {}
    if "signature" in parameters:
        return f"{parameters['payload']}/{parameters['signature']}"
    return extract_token(event.get("rawPath", ""))  # the route does not match an encoded slash


def _answer_well_known_request(event: RedirectEvent, *, from_cloudfront: bool) -> Response:
    from waypost.redirect import well_known  # imported here: no click needs it

    headers = event.get("headers", {})
    viewer_host = headers.get("x-waypost-host") if from_cloudfront else None
    response = well_known.handle_well_known_request(
        event["rawPath"],
        viewer_host or headers.get("host", ""),
        lambda: _keyring_source().get_keyring(),
        lambda: _repositories().domains,
    )
    return response or not_found_page()


@cache
def _config() -> RedirectConfig:
    return RedirectConfig.from_env()


@cache
def _keyring_source() -> KeyringSource:
    return create_redirect_keyring(_config())


@cache
def _repositories() -> Repositories:
    return create_redirect_repositories(_config())


@cache
def _redirect_service() -> RedirectService:
    return build_redirect_service(_config(), _repositories(), _keyring_source(), log)
