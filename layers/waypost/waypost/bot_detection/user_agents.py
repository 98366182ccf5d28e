"""User agents: known machines, and the kind of client behind a browser's.

Known machines come from the kept list of the package crawler-user-agents, plus ``OUR_ADDITIONS``:
scanners of mail and documents that the list, made for web sites, does not have.

User agents that load the images of messages, where an open says less than a click.

Sources: Google's and Yahoo's proxies name themselves; Apple's privacy protection loads every image
of a message through relays as soon as it is delivered, with an agent of two words and no more;
Gmail's applications load images ahead of time with the one below, which no browser has had since
2015. Each was seen and described by several senders of mail (docs/opens.md).

What a user agent says in words: the browser, and what it ran on.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from crawleruseragents import is_crawler

EXTRA_BOT_PATTERN: Final = re.compile(
    r"barracuda|mimecast|proofpoint|safelinks|ms-office|microsoft office|^java/|mailscanner"
    r"|trendmicro|forcepoint|fireeye|cloudmark|urldefense|bitdefender|sophos|msoffice"
    r"|electron/.*(scan|crawl)|phantomjs|selenium|webdriver|puppeteer|playwright",
    re.IGNORECASE,
)

_OS_TOKENS: Final = ("iphone", "ipad", "android", "windows", "cros", "mac os", "linux")
_BROWSER_TOKENS: Final = (
    "edg",
    "opr/",
    "samsungbrowser",
    "firefox",
    "fxios",
    "crios",
    "chrome",
    "safari",
)


@lru_cache(maxsize=4096)
def is_known_bot(agent: str) -> bool:
    """Whether the agent names a crawler, scanner, preview or tool that is known.

    Cached, for searching the list costs about 0.3 ms and agents repeat.
    """
    return is_crawler(agent) or EXTRA_BOT_PATTERN.search(agent) is not None


def is_browser(agent: str) -> bool:
    """Whether the agent has the shape that every browser's has had for thirty years."""
    return agent.startswith(("Mozilla/5.0 (", "Opera/9.80 ("))


def classify_client(agent: str) -> int:
    """A number from 0 to 255 that is the same for the same system and browser, whatever version."""
    lower = agent.lower()
    system = next((i for i, name in enumerate(_OS_TOKENS, 1) if name in lower), 0)
    browser = next((i for i, name in enumerate(_BROWSER_TOKENS, 1) if name in lower), 0)
    return system << 4 | browser


_IMAGE_PROXY_PATTERN: Final = re.compile(
    r"GoogleImageProxy|YahooMailProxy|SeznamEmailProxy", re.IGNORECASE
)
_APPLE_PREFETCH_AGENT: Final = "Mozilla/5.0"
_GMAIL_PREFETCH_SUFFIX: Final = "Edge/12.246 Mozilla/5.0"
_MAIL_CLIENT_PATTERN: Final = re.compile(
    r"outlook|ms-?office|thunderbird|airmail|mailspring|betterbird|emclient|postbox", re.IGNORECASE
)


def is_image_proxy(agent: str) -> bool:
    """Whether a mail provider fetched the image: for somebody who reads, as far as is known, but
    in place of whatever their own client would tell.
    """
    return _IMAGE_PROXY_PATTERN.search(agent) is not None


def is_image_prefetch(agent: str) -> bool:
    """Whether the image was fetched before anybody looked, or whether or not anybody will."""
    return agent.strip() == _APPLE_PREFETCH_AGENT or agent.endswith(_GMAIL_PREFETCH_SUFFIX)


def is_mail_client(agent: str) -> bool:
    """Whether a program that people read mail with fetched the image. A *click* with such an agent
    is rather a program's that checks links.
    """
    return _MAIL_CLIENT_PATTERN.search(agent) is not None


_BROWSER_NAMES: Final = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "FxiOS/": "Firefox",
    "Firefox/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
"""By a part of the agent, the telling one first: nearly all claim to be Safari as well."""
_SYSTEM_NAMES: Final = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Macintosh": "Mac",
    "Linux": "Linux",
}


def describe_device(agent: str) -> str:
    """Such as ``Safari on iPhone``; empty where the agent is not a browser's that people know."""
    browser = next((name for part, name in _BROWSER_NAMES.items() if part in agent), None)
    system = next((name for part, name in _SYSTEM_NAMES.items() if part in agent), None)
    return f"{browser} on {system}" if browser and system else ""
