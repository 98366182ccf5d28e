"""What callers, operators and CloudFront hand us: bodies, lines of files, headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from fuzz.target import FuzzTarget, decode_text, expect
from tests.fakes import (
    InMemoryCampaignRepository,
    InMemoryDomainRepository,
    InMemoryObjectStore,
    InMemoryShortLinkRepository,
    InMemoryWorkspaceRepository,
)
from tests.rewrite_harness import NOW, FakeBaseUrls, RewriteHarness
from waypost.api.workspace_settings import SettingsChange, WorkspaceSettingsService
from waypost.clicks.fallback_queue import deserialize_click, serialize_click
from waypost.clicks.request import RedirectEvent, parse_click_request, truncate_address
from waypost.domains.events import DomainEventPublisher
from waypost.domains.schemas import AddDomainRequest
from waypost.domains.service import DomainService
from waypost.errors import CorruptItem, WaypostError
from waypost.maintenance.replay import extract_clicks
from waypost.models.click import Click
from waypost.models.tracking_domain import CnameTargets
from waypost.models.workspace import WorkspaceSettings
from waypost.repositories.objects import ObjectUrl
from waypost.repositories.pagination import decode_cursor, encode_cursor
from waypost.rewrite import schemas
from waypost.rewrite.service import RewriteService
from waypost.rewrite_files.schemas import FileRequest
from waypost.rewrite_files.service import FileRewriteService
from waypost.tokens import Keyring, TokenSealer
from waypost.validation import parse_json, validate_value

_MESSAGE: Final = json.dumps(
    {
        "workspace": "acme",
        "campaign": "sale",
        "liquid": True,
        "content": {"html": '<a href="https://e.example/{{ n }}">{{ n | upcase }}</a>'},
    }
).encode()
_INPUT, _OUTPUT = ObjectUrl("files", "in"), ObjectUrl("files", "out")
_SEALER: Final = TokenSealer(Keyring((b"of the fuzzer, thirty-two bytes or so",)))


def fuzz_body(data: bytes) -> None:
    """A request body is read or refused."""
    with suppress(WaypostError):
        schemas.parse_rewrite_request(data)


def fuzz_settings(data: bytes) -> None:
    """Settings are refused, or are told as they were given, and messages go on under them."""
    office = RewriteHarness()
    configuration = WorkspaceSettingsService(office.workspaces)
    with suppress(WaypostError):
        told = configuration.change_settings("acme", parse_json(SettingsChange, data))
        expect(configuration.get_settings("acme") == told, "what is told is what was stored")
        kept = told.apply_to(WorkspaceSettings())
        expect(WorkspaceSettings.from_dict(kept.to_dict()) == kept, "they read back")
        content = {"html": '<a href="https://e.example/?a=1#b">x</a>'}
        office.rewrite(channel="email", content=content)


def fuzz_domain(data: bytes) -> None:
    """A tracking domain is refused, or is listed as it was added."""
    manager = DomainService(
        InMemoryDomainRepository(),
        CnameTargets("edge.example.net"),
        DomainEventPublisher(),
        lambda: NOW,
    )
    with suppress(WaypostError):
        added = manager.add_domain("acme", parse_json(AddDomainRequest, data))
        expect(manager.get_domain("acme", added.host) == added, "it is shown as it was added")


def fuzz_recipient_lines(data: bytes) -> None:
    """Each line of a file of recipients has its line in the output, whatever is wrong with it."""
    objects = InMemoryObjectStore()
    objects.write(_INPUT, _MESSAGE + b"\n" + data)
    sending = RewriteService(
        campaigns=InMemoryCampaignRepository(),
        workspaces=InMemoryWorkspaceRepository(),
        base_urls=FakeBaseUrls(),
        short_links=InMemoryShortLinkRepository(),
        get_sealer=lambda: _SEALER,
        now=lambda: NOW,
    )
    asked = validate_value(FileRequest, {"input": str(_INPUT), "output": str(_OUTPUT)})
    work = FileRewriteService(sending, objects, lambda: 1_000.0, lambda _, __: None)
    answer = work.rewrite_file(asked)
    output = objects.read(_OUTPUT)
    written = [json.loads(line) for line in (output.data if output else b"").splitlines()]
    expect(len(written) == sum(1 for line in data.split(b"\n") if line.strip()), "one for each")
    delivered = sum("content" in line for line in written)
    expect(answer["delivered"] == delivered, "what was delivered is counted")
    expect(answer["failed"] == len(written) - delivered, "what failed is counted")


def fuzz_replay(data: bytes) -> None:
    """Whatever a file of lost clicks holds, each is read or refused, and reads back when parked."""
    for stored in extract_clicks(decode_text(data)):
        with suppress(CorruptItem):
            click = Click.from_dict(stored)
            again = deserialize_click(serialize_click(click))
            expect(
                serialize_click(again) == serialize_click(click),
                "a click reads back as it was parked",
            )
            expect(Click.from_item(again.to_item()) == again, "and as it was stored")
    with suppress(CorruptItem):
        deserialize_click(decode_text(data))


def fuzz_headers(data: bytes) -> None:
    """Whatever a client's headers say, the request is one, and its address a network."""
    names = ("user-agent", "x-amz-cf-id", "x-waypost-time", "cloudfront-viewer-address")
    more = ("cloudfront-viewer-country", "cloudfront-viewer-asn", "sec-purpose")
    values = decode_text(data).split("\n")
    given: Mapping[str, str] = dict(zip((*names, *more), values, strict=False))
    event: RedirectEvent = {
        "headers": given,
        "requestContext": {
            "http": {"method": "GET", "sourceIp": "203.0.113.9"},
            "requestId": "gateway",
            "timeEpoch": 1_790_000_000_000,
        },
    }
    for through_front in (True, False):
        kept = truncate_address(
            parse_click_request(event, from_cloudfront=through_front).address, "truncated"
        )
        expect(kept is None or kept.endswith((".0", "::")), f"{kept!a} is a whole address")


def fuzz_cursor(data: bytes) -> None:
    """A cursor is refused, or is the one spelling of its position."""
    with suppress(WaypostError):
        expect(encode_cursor(decode_cursor(decode_text(data))) == decode_text(data), "one spelling")


_CLICK: Final[dict[str, Any]] = {
    "id": "request-1",
    "time": "2026-11-22T09:00:00.000Z",
    "link": "0" * 26,
    "position": 1,
    "delivery": "d1",
    "href": "https://e.example",
    "agent": "",
    "sent": 1,
    "expires": 2,
}

TARGETS: Final = {
    "body": FuzzTarget(
        fuzz_body,
        (
            (
                b'{"workspace":"a","campaign":"b","kind":"newsletter","channel":"email",'
                b'"content":{"html":"x"},"recipients":[{"delivery":"d","person":"p","data":{}}]}'
            ),
        ),
    ),
    "settings": FuzzTarget(
        fuzz_settings,
        (
            b'{"url_params":{"utm_source":"{{ campaign.name | upcase }}"},"cio_id":false}',
            b'{"shorten":{"sms":true},"retention_days":9,"schemes":["myapp"],"ip":"none"}',
            b'{"never_track":["https://*/reset*"],"events":"first","machine_threshold":90}',
        ),
    ),
    "domain": FuzzTarget(
        fuzz_domain,
        (
            b'{"host":"links.acme.com","sending_domain":"acme.com","role":"short"}',
            b'{"host":"a.b.example","app_links":{"urls":["https://a.example/*"],"ios":[]}}',
        ),
    ),
    "lines": FuzzTarget(
        fuzz_recipient_lines,
        (
            b'{"delivery":"d1","person":"p1","data":{"n":1}}\n\n{"delivery":"d1"}\n{"data":',
            b'{"delivery":"d2","data":{"n":{"a":[1.5,null]}}}\r\n[]\n"x"',
        ),
    ),
    "replayed": FuzzTarget(
        fuzz_replay,
        (
            json.dumps(_CLICK).encode(),
            json.dumps({"unrecorded_click": _CLICK | {"person": "p", "asn": 5}}).encode(),
            json.dumps({"Records": [{"body": json.dumps(_CLICK)}]}).encode(),
        ),
    ),
    "headers": FuzzTarget(
        fuzz_headers,
        (
            b"Mozilla/5.0\nrequest-0001\n1790000000000\n[2001:db8::1]:443\nDE\n3320\nprefetch",
            b"x\ny\nz\n2002:cb00:7109::1:80\n\n-1",
        ),
    ),
    "cursor": FuzzTarget(fuzz_cursor, (b"cDp4", b"eA")),
}
