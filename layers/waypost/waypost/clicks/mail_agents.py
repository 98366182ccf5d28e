"""User agents that load the images of messages, where an open says less than a click.

Sources: Google's and Yahoo's proxies name themselves; Apple's privacy protection loads every image
of a message through relays as soon as it is delivered, with an agent of two words and no more;
Gmail's applications load images ahead of time with the one below, which no browser has had since
2015. Each was seen and described by several senders of mail (docs/opens.md).
"""

from __future__ import annotations

import re
from typing import Final

_IMAGE_PROXY: Final = re.compile(r"GoogleImageProxy|YahooMailProxy|SeznamEmailProxy", re.IGNORECASE)
_PRIVACY_PROTECTION: Final = "Mozilla/5.0"
_GMAIL_PREFETCH: Final = "Edge/12.246 Mozilla/5.0"
_MAIL_CLIENT: Final = re.compile(
    r"outlook|ms-?office|thunderbird|airmail|mailspring|betterbird|emclient|postbox", re.IGNORECASE
)


def is_image_proxy(agent: str) -> bool:
    """Whether a mail provider fetched the image: for somebody who reads, as far as is known, but
    in place of whatever their own client would tell.
    """
    return _IMAGE_PROXY.search(agent) is not None


def is_prefetch(agent: str) -> bool:
    """Whether the image was fetched before anybody looked, or whether or not anybody will."""
    return agent.strip() == _PRIVACY_PROTECTION or agent.endswith(_GMAIL_PREFETCH)


def is_mail_client(agent: str) -> bool:
    """Whether a program that people read mail with fetched the image. A *click* with such an agent
    is rather a program's that checks links.
    """
    return _MAIL_CLIENT.search(agent) is not None
