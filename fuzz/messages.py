"""Fuzz targets for messages: HTML, MIME, plain text and JSON, rendered or as a template."""

from __future__ import annotations

import html
import json
import re
from contextlib import suppress
from typing import Any, Final

from fuzz.target import FuzzTarget, decode_text, expect, join_pieces
from tests.rewrite_harness import BASE, RewriteHarness
from waypost.client.tags import escape_tags
from waypost.errors import WaypostError
from waypost.rewrite.links.cio_link import find_cio_links
from waypost.rewrite.service import RewriteResponse

_COMMENT_PIECES: Final = (
    *("<!--[if", " ", "  (", "mso", "gte ", " 9", "!", ")|(", "IE", "]>", "]><!-->", "-->", "<!--"),
    *(
        "<![endif]-->",
        "<!--<![endif]-->",
        "<![if mso]>",
        "<![endif]>",
        "{{ x }}",
        "<p>",
        "&",
        "[if",
    ),
    *("<a href=https://a.example/?b=1&c>", '<v:roundrect href="https://a.example/">', "</a>", "{%"),
)
_TRACKED: Final = re.compile(re.escape(BASE) + r"/e/c/[\w-]+/[\w-]{22}")


def fuzz_html(data: bytes) -> None:
    """Change nothing in a message except its links, or reject it."""
    given = decode_text(data)
    answer = _rewrite("email", {"html": given}, track_opens=False)
    if answer is not None:
        _expect_equal_outside_links(given, str(answer["deliveries"][0]["content"]["html"]))


def fuzz_comments(data: bytes) -> None:
    """Change nothing except links in any order of the pieces of conditional comments."""
    fuzz_html(join_pieces(data, _COMMENT_PIECES).encode())


def fuzz_tags(data: bytes) -> None:
    """Change nothing outside of ``cio_link`` tags, and nothing at all if tags are off."""
    given = decode_text(data)
    for channel, form in (("push", "text"), ("in_app", "html")):
        answer = _rewrite(channel, {form: given}, tags=False)
        if answer is not None:
            expect(answer["deliveries"][0]["content"][form] == given, "tags are off")
        answer = _rewrite(channel, {form: given})
        if answer is not None:
            sent = str(answer["deliveries"][0]["content"][form])
            _expect_pieces_in_order(_list_texts_between_tags(given), sent)


def fuzz_escaped_value(data: bytes) -> None:
    """Track no link in an escaped value, whatever is next to it."""
    value = decode_text(data)
    for before, after in (("{", "% cio_link url:https://a.example %}"), ("{% cio_link ", "%}")):
        for text in (escape_tags(html.escape(value)), html.escape(escape_tags(value))):
            _expect_no_tag("in_app", "html", f"{before}<p>{text}</p>{after}")
            if text:
                _expect_no_tag("in_app", "html", f"{before[:1]}{text}{after}")
        for text in (escape_tags(json.dumps(value)[1:-1]), json.dumps(escape_tags(value))[1:-1]):
            _expect_no_tag("push", "body", f'["{before[:1]} {text} {after[-1:]}"]')


def _expect_no_tag(channel: str, form: str, given: str) -> None:
    answer = _rewrite(channel, {form: given})
    if answer is None:
        return
    expect(answer["deliveries"][0]["content"][form] == given, f"a tag begins in {given!a}")
    expect(not answer["links"], f"{given!a} has a link")


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


def _rewrite(channel: str, content: dict[str, Any], **options: bool) -> RewriteResponse | None:
    """Rewrite a message; return None if it is rejected, or its recipient fails."""
    with suppress(WaypostError):
        answer = RewriteHarness().rewrite(channel=channel, content=content, **options)
        return answer if answer["deliveries"] else None
    return None


def _list_texts_between_tags(text: str) -> list[str]:
    position, texts = 0, []
    for start, end, _ in find_cio_links(text):
        texts.append(text[position:start])
        position = end
    return [*texts, text[position:]]


def _expect_equal_outside_links(given: str, sent: str) -> None:
    """Check that a message is the same outside of its tracking links."""
    if BASE not in given:
        _expect_pieces_in_order(_TRACKED.split(sent), given)


def _expect_pieces_in_order(pieces: list[str], text: str) -> None:
    """Check that a text begins and ends with the outer pieces and has all of them in this order."""
    expect(text.startswith(pieces[0]), f"{text!a} does not begin with {pieces[0]!a}")
    expect(text.endswith(pieces[-1]), f"{text!a} does not end with {pieces[-1]!a}")
    position = 0
    for piece in pieces:
        found = text.find(piece, position)
        if found < 0:  # only then, because the text of the error is as long as the message
            expect(False, f"{piece!a} is not in {text!a}")
        position = found + len(piece)


TARGETS: Final = {
    "html": FuzzTarget(
        fuzz_html,
        (
            b'<a href="https://a.example/?a=1&amp;b=2#c" class=untracked>x</a><area href=//x>',
            b'<!--[if mso]><v:roundrect href="https://a.example"><![endif]--></body>',
            b"<!--[if (gte mso 9)|(IE)]><a href=https://a.example><![endif]--><!--[if !mso]><!-->",
            b"<!--[if        mso]><!--[if mso]><a href='https://a.example' href=x><!--[if  ( mso",
        ),
    ),
    "comments": FuzzTarget(
        fuzz_comments,
        (
            bytes([0, 1, 3, 9, 21, 13, 0, 6, 3, 10, 22, 14]),
            bytes([0, 2, 4, 3, 5, 7, 8, 9, 21, 23, 12, 0, 9, 15, 22, 16]),
            bytes([0, *[1] * 200, 20, 0, 9, 17, 21, 24]),
        ),
    ),
    "tags": FuzzTarget(
        fuzz_tags,
        (
            b'Hi {% cio_link url:"https://a.example/{{ x }}" track:false %} {%- cio_link url:x -%}',
            b'{% cio_link url:"{{a}}{{a}}{{a}}{{a}} {% cio_link url: \'https://a.example/ %} " %}',
            b'{% cio_link url:https://a.example/?b={{ "c" }}, url_params : FALSE%}{%cio_link%}',
        ),
    ),
    "escaped": FuzzTarget(
        fuzz_escaped_value,
        (
            b"{% cio_link url:https://a.example %}",
            b"% cio_link url:https://a.example %}{%- cio_link track:true",
            b"{{%",
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
