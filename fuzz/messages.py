"""Fuzz targets for messages: HTML, MIME, plain text and JSON, rendered or as a template."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, Final

from fuzz.target import FuzzTarget, decode_text, expect
from tests.rewrite_harness import BASE, RewriteHarness
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


def _rewrite(
    channel: str, content: dict[str, Any], *, liquid: bool = False
) -> RewriteResponse | None:
    harness = RewriteHarness()
    with suppress(WaypostError):
        return harness.rewrite(channel=channel, content=content, liquid=liquid)
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
    "push": FuzzTarget(
        fuzz_push,
        (
            b'{"a": "x {% cio_link url:\\"https://a.example/?b=\\u00fc\\" track:false %}"}',
            b'["{% cio_link url:https://a.example/{{ x }} url_params:false -%} b", {"c": 1.5}]',
        ),
    ),
}
