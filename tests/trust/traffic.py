"""An hour of a function's events, each different from the others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any, Final

from tests.click_factory import NOON, make_click
from tests.lambda_handlers import build_api_event
from tests.trust.fake_aws import SECRET
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.models import attributes
from waypost.models.attributes import Item, to_milliseconds
from waypost.models.campaign import (
    Campaign,
    Link,
    LinkDefinition,
    SentMessage,
    campaign_partition,
    message_key,
)
from waypost.models.short_link import CODE_ALPHABET, CODE_LENGTH, ShortLink
from waypost.reports.share_links import ShareScope, ShareSigner
from waypost.tokens import ClickToken, OpenToken, OpenTokenSealer, TokenSealer
from waypost.tokens.keyring import KeyringSource

HREF: Final = "https://shop.example/sale?utm_source=news"
CAMPAIGN_ID: Final = derive_campaign_id("acme", "spring")
LINK_ID: Final = derive_link_id(CAMPAIGN_ID, f"url:{HREF}")


class FakeSecrets:
    def get_secret_value(self, *, SecretId: str) -> dict[str, object]:  # noqa: N803
        return {"SecretString": SECRET}


KEYRING: Final = KeyringSource(FakeSecrets(), "keyring").get_keyring()


def generate_click_events(start: int = 0) -> Iterator[dict[str, Any]]:
    """Generate clicks of new people with new browsers in many workspaces.

    Short links, pixels, forged links, previews and HEAD requests are among them.
    """
    sealer, opens = TokenSealer(KEYRING), OpenTokenSealer(KEYRING)
    for number in count(start):
        workspace = f"workspace {number % 1_500}"
        campaign = derive_campaign_id(workspace, "spring")
        code, person = derive_link_id(campaign, HREF), f"p{number}"
        href = f"{HREF}&n={number}"
        token = sealer.seal(ClickToken(code, f"d{number}", person, 1, 1_790_000_000, href))
        route = "GET /e/c/{payload}/{signature}"
        if number % 20 == 7:
            yield _build_event(number, "GET /s/{code+}", {"code": build_short_code(number % 2_000)})
            continue
        if number % 20 == 11:
            pixel = OpenToken(campaign, f"d{number}", person, 1_790_000_000)
            token, route = opens.seal(pixel), "GET /e/o/{payload}/{signature}"
        elif number % 20 == 13:
            token = token[:-3] + "AAA"
        payload, _, signature = token.partition("/")
        event = _build_event(number, route, {"payload": payload, "signature": signature})
        if number % 20 == 17:
            event["requestContext"]["http"]["method"] = "HEAD"
        yield event


def build_short_link_items() -> list[Item]:
    """Build the items of the short links in ``generate_click_events``."""
    sealer = TokenSealer(KEYRING)
    token = sealer.seal(ClickToken(LINK_ID, "s1", None, 1, 1_790_000_000, HREF))
    return [ShortLink(build_short_code(n), token, None).to_item() for n in range(2_000)]


def build_short_code(number: int) -> str:
    return "".join(Random(number).choices(CODE_ALPHABET, k=CODE_LENGTH))


def generate_messages() -> Iterator[dict[str, Any]]:
    """Generate new templates with new links, in HTML, MIME and text."""
    for number in count():
        anchors = "".join(
            f'<p><a href="https://shop.example/{number}/{n}?x={{{{ n }}}}">{n}</a>'
            for n in range(20)
        )
        html = f"<html><body>{anchors}{'padding ' * 500}</body></html>"
        forms: tuple[tuple[str, dict[str, str]], ...] = (
            ("email", {"html": html, "text": f"See https://shop.example/{number}"}),
            ("email", {"mime": f"Content-Type: text/html; charset=utf-8\r\n\r\n{html}"}),
            ("sms", {"text": f"Now at https://shop.example/{number}!"}),
        )
        channel, content = forms[number % 3]
        people = [
            {"delivery": f"d{n}", "person": f"p{number}-{n}", "data": {"n": n}} for n in range(5)
        ]
        yield {
            "workspace": f"workspace {number % 50}",
            "campaign": f"campaign {number}",
            "channel": channel,
            "content": content,
            "liquid": channel == "email" and "html" in content,
            "recipients": people,
        }


def generate_batches() -> Iterator[dict[str, Any]]:
    """Generate stream batches of new campaigns and people."""
    for number in count():
        campaign = derive_campaign_id("acme", f"campaign {number}")
        made = [
            make_click(f"click-{number}-{n}", person=f"p{number}-{n % 20}", campaign=campaign)
            for n in range(25)
        ]
        yield {
            "Records": [
                {
                    "eventName": "INSERT",
                    "dynamodb": {
                        "SequenceNumber": f"{number:018}{n:03}",
                        "NewImage": one.to_item(),
                    },
                }
                for n, one in enumerate(made)
            ]
        }


def generate_page_views() -> Iterator[dict[str, Any]]:
    """Generate requests for a campaign's pages, each with its own share."""
    sharer = ShareSigner(KEYRING, lambda: datetime.now(UTC))
    pages = ("campaign", "map", "message", "link", "workspace", "settings", "domains", "none")
    for number in count():
        scope = ShareScope("acme", None, people=True)
        cookie = f"__Host-share-{scope.scope_id}={sharer.create_token(scope, 1 + number % 90)}"
        query = {"workspace": "acme", "campaign": "spring", "link": LINK_ID, "n": str(number)}
        page = pages[number % len(pages)]
        event = build_api_event(
            "GET /reports/{page+}", {"page": page}, query=query, cookies=[cookie]
        )
        yield event


def build_campaign_items() -> list[Item]:
    """Build the items of the campaign in ``generate_page_views``."""
    campaign = Campaign(
        workspace="acme", name="spring", kind="newsletter", channel="email", first_seen=NOON
    )
    html = f'<a href="{HREF}">x</a>'
    partition = attributes.build_item({"pk": campaign_partition(CAMPAIGN_ID)})
    names = ("total", f"link#{LINK_ID}", *(f"hour#2026-11-21T{hour:02}" for hour in range(24)))
    expires = int(datetime.now(UTC).timestamp()) + 86_400  # functions keep the real clock
    message = SentMessage(campaign=CAMPAIGN_ID, html=html, rendered=False, expires=expires)
    return [
        campaign.to_item(),
        Link(LINK_ID, LinkDefinition(f"url:{HREF}", HREF, None, 1), NOON).to_item(),
        message_key(CAMPAIGN_ID) | (message.to_attributes() or {}),
        *(
            partition | attributes.build_item({"sk": f"N#{name}", "human": 7, "people": 5})
            for name in names
        ),
    ]


def _build_event(number: int, route: str, parameters: dict[str, str]) -> dict[str, Any]:
    event = build_api_event(route, parameters)
    event["headers"] |= {"user-agent": f"Mozilla/5.0 (Browser {number}) Chrome/131.0.0.0"}
    event["requestContext"] |= {
        "requestId": f"request-{number:08}",
        "timeEpoch": to_milliseconds(NOON) + number * 100,
    }
    event["requestContext"]["http"] |= {
        "sourceIp": f"203.0.{number % 250}.{number % 200}",
        "userAgent": "x",
    }
    return event
