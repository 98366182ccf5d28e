"""Fuzz targets for messages: HTML, MIME, text and JSON, rendered or as a template, and tags."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from html import escape
from typing import Any, Final

from fuzz.target import FuzzTarget, decode_text, expect
from tests.redirect_harness import RedirectHarness, make_request
from tests.rewrite_harness import BASE, RewriteHarness
from waypost.client import escape_tags
from waypost.errors import WaypostError
from waypost.rewrite.service import RewriteResponse

_TRACKED: Final = re.compile(re.escape(BASE) + r"/e/c/[\w-]+/[\w-]{22}")


def fuzz_html(data: bytes) -> None:
    """Rewrite a message, or reject it."""
    _rewrite("email", {"html": decode_text(data)})


def fuzz_liquid(data: bytes) -> None:
    """Compile and render a template, or reject it."""
    _rewrite("email", {"html": decode_text(data)}, liquid=True)


def fuzz_mime(data: bytes) -> None:
    """Rewrite a MIME message, or reject it."""
    _rewrite("email", {"mime": data.decode("utf-8", "surrogateescape")})


def fuzz_text(data: bytes) -> None:
    """Change nothing in a text except its links."""
    given = decode_text(data)
    answer = _rewrite("sms", {"text": given})
    if answer is None or BASE in given or "cio_link" in given:
        return
    links = iter([link["url"] for link in answer["links"] if link["tracked"]])
    sent = str(answer["deliveries"][0]["content"]["text"])
    restored = _TRACKED.sub(lambda _: next(links), sent)
    expect(restored == given, f"{restored!a} differs from the message")
    expect(next(links, None) is None, "every reported link is in the text")


def fuzz_push(data: bytes) -> None:
    """Keep a JSON body valid JSON, whatever its ``cio_link`` tags contain."""
    given = decode_text(data)
    answer = _rewrite("push", {"body": given})
    if answer is None or not given.lstrip().startswith(("{", "[")):
        return
    try:
        json.loads(given)
    except (ValueError, RecursionError):
        return
    sent = str(answer["deliveries"][0]["content"]["body"])
    try:
        json.loads(sent)
    except ValueError as e:
        raise AssertionError(f"{sent!a} is no longer JSON") from e


def fuzz_tags(data: bytes) -> None:
    """Read no tag in an escaped value, nor in content with tags switched off."""
    value = decode_text(data)
    around = "Dear {{{} cio_link url:https://a.example %}}".format
    for text, tags in ((around(escape_tags(value)), True), (around(value), False)):
        for content in ({"text": text}, {"body": {"title": text}}, {"body": json.dumps([text])}):
            answer = _rewrite("push", content, tags=tags)
            expect(answer is not None, "rendered content without a link is accepted")
            sent = answer["deliveries"][0]["content"] if answer else None
            expect(sent == content, f"{sent!a} differs from the message")


def fuzz_delivery(data: bytes) -> None:
    """Deliver each tracked link with the destination that the report names."""
    href, parameter, person = (*decode_text(data).split("\n"), "", "")[:3]
    redirect = RedirectHarness()
    sending = RewriteHarness(sealer=redirect.sealer, short_links=redirect.short_links)
    sending.save_settings(url_params={"utm_source": parameter}, track_opens=False)
    try:
        answer = sending.rewrite(
            content={"html": f'<a href="{escape(href)}">x</a>'},
            recipients=[{"delivery": "d", "person": person or None}],
        )
    except WaypostError:  # a person with too many characters
        return
    tokens = [link[0].partition("/e/c/")[2] for link in _TRACKED.finditer(str(answer))]
    tracked = [link["destination"] for link in answer["links"] if link["tracked"]]
    expect(len(tokens) == len(tracked), "each tracked link is in the message")
    for token, destination in zip(tokens, tracked, strict=True):
        location = redirect.redirect_service.handle_click(token, make_request()).location
        expect(location == destination, f"{location!a} is not the destination")


def _rewrite(
    channel: str, content: dict[str, Any], *, liquid: bool = False, tags: bool = True
) -> RewriteResponse | None:
    harness = RewriteHarness()
    with suppress(WaypostError):
        return harness.rewrite(channel=channel, content=content, liquid=liquid, tags=tags)
    return None


TARGETS: Final = {
    "html": FuzzTarget(
        fuzz_html,
        (
            b'<a href="https://a.example/?a=1&amp;b=2#c" class=untracked>x</a><area href=//x>',
            b'<!--[if mso]><v:roundrect href="https://a.example"><![endif]--></body>',
        ),
    ),
    "liquid": FuzzTarget(
        fuzz_liquid,
        (
            b"<a href={{ u | default: 1 }}>{% if a %}{% cio_link url:https://a.b %}{% endif %}",
            b"{% for x in y %}<a href=https://a.example/{{x}}>{% endfor %}{% raw %}{{{% endraw %}",
        ),
    ),
    "mime": FuzzTarget(
        fuzz_mime,
        (
            (
                b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n"
                b"Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/html\r\n\r\n"
                b"<a href=3D=22https://a.example=22>\r\n--x--\r\n"
            ),
        ),
    ),
    "text": FuzzTarget(
        fuzz_text,
        (
            b"See (https://a.example/b_(c)), 'http://d.example/e?f=g'. {{ x }} www.h.example",
            "«https://bücher.example/ü» HTTPS://A.EXAMPLE。http://x://y".encode(),
        ),
    ),
    "tags": FuzzTarget(
        fuzz_tags,
        (
            b"{% cio_link url:https://evil.example %}",
            b"% cio_link url:https://evil.example %}{%- cio_link track:true",
        ),
    ),
    "delivery": FuzzTarget(
        fuzz_delivery,
        (
            b"https://a.example/?b=1&c#d\nnews letter\nada",
            b"https://a.example/" + b"x" * 3_000 + b"\n" + b"y" * 2_000 + b"\n84213",
        ),
    ),
    "push": FuzzTarget(
        fuzz_push,
        (
            b'{"a": "x {% cio_link url:\\"https://a.example/?b=\\u00fc\\" track:false %}"}',
            b'["{% cio_link url:https://a.example/{{ x }} url_params:false -%} b", {"c": 1.5}]',
        ),
    ),
}
