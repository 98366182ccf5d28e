"""Render templates, and set the headers that isolate a page from other sites."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from waypost.bot_detection.user_agents import describe_device
from waypost.responses import Response

_HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_INVISIBLE: Final = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Invisible characters, and characters that reverse the order of others."""
MAX_SHORT_URL: Final = 160
_SHORT_URL_ENDS: Final = (110, 40)

_CHANNEL_NAMES: Final = {"sms": "SMS", "whatsapp": "WhatsApp", "slack": "Slack"}


@cache
def create_jinja_environment() -> Environment:
    """Create the template environment: escapes every value, and fails on an undefined name."""
    environment = Environment(
        loader=PackageLoader("waypost.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["address"] = build_page_url
    environment.globals["style"] = load_style()
    environment.filters |= {
        "channel": format_channel,
        "clock": format_time_of_day,
        "day": format_date,
        "device": describe_device,
        "moment": format_timestamp,
        "number": format_number,
        "percent": format_percent,
        "shortened": shorten_url,
        "url": format_url,
    }
    return environment


@cache
def load_style() -> str:
    """Load the style sheet, which is inline in every page."""
    return (files("waypost.web") / "templates/style.css").read_text("utf-8")


@cache
def build_content_security_policy() -> str:
    """Build the Content-Security-Policy: only the page, its own style and its own frame."""
    digest = b64encode(sha256(load_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; frame-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def render_page(template: str, status: int = 200, **values: object) -> Response:
    """Render a page."""
    page = template.removesuffix(".html")
    body = create_jinja_environment().get_template(template).render(values, current_page=page)
    headers = _HEADERS | {"content-security-policy": build_content_security_policy()}
    return Response(statusCode=status, headers=headers, body=body)


def render_frame(html: str, *, images: bool) -> Response:
    """Return foreign HTML for a sandboxed frame: no scripts, no forms, an opaque origin.

    Images load from the web only with ``images``, as in a mail client.
    """
    sources = "data: https: http:" if images else "data:"
    content_policy = (
        f"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src {sources}; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )
    headers = _HEADERS | {"content-security-policy": content_policy}
    return Response(statusCode=200, headers=headers, body=html)


def build_page_url(page: str, **names: str | int | bool | None) -> str:
    """Build the URL of a page. Omits None values.

    Names are in the query, because proxies change some characters of a path.
    """
    given = {name: value for name, value in names.items() if value is not None}
    return f"/reports/{page}?{urlencode(given)}"


def format_number(value: int) -> str:
    """Format a count with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def format_percent(share: float) -> str:
    """Format a share of 0 to 1 as a percentage, with one decimal below 10%."""
    return f"{share:.0%}" if share in (0, 1) or share >= 0.1 else f"{share:.1%}"


def format_url(url: str) -> str:
    """Percent-encode characters of a URL that would make it look like another one."""
    return _INVISIBLE.sub(lambda match: quote(match[0]), url)


def shorten_url(url: str) -> str:
    """Shorten a long URL to its beginning and end."""
    first, last = _SHORT_URL_ENDS
    return url if len(url) <= MAX_SHORT_URL else f"{url[:first]} … {url[-last:]}"


def format_timestamp(time: str) -> str:
    """Format an RFC 3339 time for readers, to the second."""
    return time.replace("T", " ").partition(".")[0].replace("Z", "")


def format_date(time: str) -> str:
    """Format the date of an RFC 3339 time for readers."""
    date = datetime.fromisoformat(time)
    return f"{date.day} {date:%b %Y}"


def format_time_of_day(time: str) -> str:
    """Format the hour and minute of an RFC 3339 time, in its zone."""
    return f"{datetime.fromisoformat(time):%H:%M}"


def format_channel(name: str) -> str:
    """Format the name of a channel for text."""
    return _CHANNEL_NAMES.get(name, name.replace("_", "-"))
