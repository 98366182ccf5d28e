"""Templates, and the headers that keep a page to itself."""

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
"""Characters that turn the order of others around, or that nobody sees."""
MAX_SHORT_URL: Final = 160
_SHORT_URL_ENDS: Final = (110, 40)

_CHANNEL_NAMES: Final = {"sms": "SMS", "whatsapp": "WhatsApp", "slack": "Slack"}


@cache
def jinja_environment() -> Environment:
    """Templates of this package. Everything is escaped; a name that is missing is an error."""
    made = Environment(
        loader=PackageLoader("waypost.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["address"] = build_page_url
    made.globals["style"] = load_style()
    made.filters |= {"url": format_url, "shortened": shorten_url, "device": describe_device}
    made.filters |= {"number": format_number, "percent": format_percent, "channel": format_channel}
    made.filters |= {"moment": format_timestamp, "day": format_date, "clock": format_time_of_day}
    return made


@cache
def load_style() -> str:
    """The one style sheet, which every page carries within it."""
    return (files("waypost.web") / "templates/style.css").read_text("utf-8")


@cache
def content_security_policy() -> str:
    """The Content-Security-Policy: nothing but the page, its own style, and pictures as data."""
    digest = b64encode(sha256(load_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; frame-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def render_page(template: str, status: int = 200, **values: object) -> Response:
    """A page, rendered."""
    here = template.removesuffix(".html")
    body = jinja_environment().get_template(template).render(values, here=here)
    headers = _HEADERS | {"content-security-policy": content_security_policy()}
    return Response(statusCode=status, headers=headers, body=body)


def render_frame(html: str, *, images: bool) -> Response:
    """Somebody else's HTML, to be shown in a frame of ours: it runs nothing, submits nothing, and
    is of no origin. Pictures are fetched from the web only if asked for, as a mail client does.
    """
    sources = "data: https: http:" if images else "data:"
    content_policy = (
        f"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src {sources}; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )
    headers = _HEADERS | {"content-security-policy": content_policy}
    return Response(statusCode=200, headers=headers, body=html)


def build_page_url(page: str, **names: str | int | bool | None) -> str:
    """The address of a page, with the names that it shows; those that are None are left out.

    Names stand in the query, where any character survives every proxy.
    """
    given = {name: value for name, value in names.items() if value is not None}
    return f"/reports/{page}?{urlencode(given)}"


def format_number(value: int) -> str:
    """A count with its thousands apart by thin spaces."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def format_percent(share: float) -> str:
    """A share of 0 to 1 in percent; tenths only where they matter."""
    return f"{share:.0%}" if share in (0, 1) or share >= 0.1 else f"{share:.1%}"


def format_url(url: str) -> str:
    """A URL as it reads and leads: what would make it read otherwise is percent-encoded."""
    return _INVISIBLE.sub(lambda found: quote(found[0]), url)


def shorten_url(url: str) -> str:
    """Beginning and end of a URL that is too long for a list."""
    first, last = _SHORT_URL_ENDS
    return url if len(url) <= MAX_SHORT_URL else f"{url[:first]} … {url[-last:]}"


def format_timestamp(time: str) -> str:
    """A time of RFC 3339 to the second, as people read it."""
    return time.replace("T", " ").partition(".")[0].replace("Z", "")


def format_date(time: str) -> str:
    """The date of a time of RFC 3339, as people read it."""
    date = datetime.fromisoformat(time)
    return f"{date.day} {date:%b %Y}"


def format_time_of_day(time: str) -> str:
    """The hour and minute of a time of RFC 3339, in its own zone."""
    return f"{datetime.fromisoformat(time):%H:%M}"


def format_channel(name: str) -> str:
    """A channel as it is written in running text."""
    return _CHANNEL_NAMES.get(name, name.replace("_", "-"))
