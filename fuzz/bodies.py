"""Fuzz targets for input of callers, operators and CloudFront: bodies, lines and headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from fuzz.target import FuzzTarget, decode_text, expect
from tests.fakes import (
    InMemoryDomainRepository,
    InMemoryObjectStore,
    InMemoryWorkspaceRepository,
)
from tests.rewrite_harness import NOW, RewriteHarness, create_rewrite_service
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
_INPUT, _OUTPUT = ObjectUrl("files", "acme/in"), ObjectUrl("files", "acme/out")
_SEALER: Final = TokenSealer(Keyring((b"of the fuzzer, thirty-two bytes or so",)))


def fuzz_body(data: bytes) -> None:
    """Parse a request body, or reject it."""
    with suppress(WaypostError):
        schemas.parse_rewrite_request(data)


def fuzz_settings(data: bytes) -> None:
    """Save settings and read the same back, or reject them; messages still render with them."""
    harness = RewriteHarness()
    service = WorkspaceSettingsService(harness.workspaces)
    with suppress(WaypostError):
        changed = service.change_settings("acme", parse_json(SettingsChange, data))
        expect(service.get_settings("acme") == changed, "the settings are stored as returned")
        settings = changed.apply_to(WorkspaceSettings())
        expect(WorkspaceSettings.from_dict(settings.to_dict()) == settings, "they read back")
        content = {"html": '<a href="https://e.example/?a=1#b">x</a>'}
        harness.rewrite(channel="email", content=content)


def fuzz_domain(data: bytes) -> None:
    """Add a tracking domain and read the same back, or reject it."""
    service = DomainService(
        InMemoryDomainRepository(),
        InMemoryWorkspaceRepository(),
        CnameTargets("edge.example.net"),
        DomainEventPublisher(),
        lambda: NOW,
    )
    with suppress(WaypostError):
        domain = service.add_domain("acme", parse_json(AddDomainRequest, data))
        expect(service.get_domain("acme", domain.host) == domain, "the domain reads back")


def fuzz_recipient_lines(data: bytes) -> None:
    """Write one line of output for each line of recipients, even if it is invalid."""
    objects = InMemoryObjectStore()
    objects.put(_INPUT, _MESSAGE + b"\n" + data)
    rewrite_service = create_rewrite_service(get_sealer=lambda: _SEALER)
    request = validate_value(FileRequest, {"input": str(_INPUT), "output": str(_OUTPUT)})
    service = FileRewriteService(
        rewrite_service, objects, _INPUT.bucket, lambda: 1_000.0, lambda _, __: None
    )
    report = service.rewrite_file(request)
    output = objects.read(_OUTPUT)
    lines = [json.loads(line) for line in (output.data if output else b"").splitlines()]
    expect(len(lines) == sum(1 for line in data.split(b"\n") if line.strip()), "one for each")
    delivered = sum("content" in line for line in lines)
    expect(report["delivered"] == delivered, "the report counts deliveries")
    expect(report["failed"] == len(lines) - delivered, "the report counts failures")


def fuzz_replay(data: bytes) -> None:
    """Parse each lost click or reject it; a click survives the fallback queue unchanged."""
    for stored in extract_clicks(decode_text(data)):
        with suppress(CorruptItem):
            click = Click.from_dict(stored)
            restored = deserialize_click(serialize_click(click))
            expect(
                serialize_click(restored) == serialize_click(click),
                "a click survives the fallback queue",
            )
            expect(Click.from_item(restored.to_item()) == restored, "a click survives its item")
    with suppress(CorruptItem):
        deserialize_click(decode_text(data))


def fuzz_headers(data: bytes) -> None:
    """Parse any headers of a client; the stored address is truncated to its network."""
    names = ("user-agent", "x-amz-cf-id", "x-waypost-time", "cloudfront-viewer-address")
    more = ("cloudfront-viewer-country", "cloudfront-viewer-asn", "sec-purpose")
    values = decode_text(data).split("\n")
    headers: Mapping[str, str] = dict(zip((*names, *more), values, strict=False))
    event: RedirectEvent = {
        "headers": headers,
        "requestContext": {
            "http": {"method": "GET", "sourceIp": "203.0.113.9"},
            "requestId": "gateway",
            "timeEpoch": 1_790_000_000_000,
        },
    }
    for from_cloudfront in (True, False):
        address = parse_click_request(event, from_cloudfront=from_cloudfront).address
        stored = truncate_address(address, "truncated")
        expect(stored is None or stored.endswith((".0", "::")), f"{stored!a} is a full address")


def fuzz_cursor(data: bytes) -> None:
    """Accept only the one encoding of a cursor."""
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
