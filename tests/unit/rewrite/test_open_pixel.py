"""Test the position and the recipients of the pixel, and that nothing else changes."""

from __future__ import annotations

import base64
import quopri
import re
from email import message_from_string
from typing import Any

import pytest

from tests.rewrite_harness import BASE, NOW, RewriteHarness, list_texts
from waypost.ids import derive_campaign_id
from waypost.tokens import OpenToken

PIXEL = re.compile(
    r'<img src="' + re.escape(BASE) + r'/e/o/([\w-]+/[\w-]+)" width="1" height="1" alt=""[^>]*>'
)
PAGE = "<html><body><p>hello</p></body></html>"


def pixels(text: str) -> list[str]:
    return PIXEL.findall(text)


def html(harness: RewriteHarness, source: str, **more: Any) -> str:
    [text] = list_texts(harness.rewrite(content={"html": source}, **more), "html")
    return text


def test_the_pixel_stands_just_before_the_end_of_the_body(harness: RewriteHarness) -> None:
    text = html(harness, PAGE)
    assert PIXEL.sub("|", text) == "<html><body><p>hello</p>|</body></html>"


def test_each_recipient_has_their_own_pixel(harness: RewriteHarness) -> None:
    answer = harness.rewrite(recipient_count=3, content={"html": PAGE})
    opened = [
        harness.sealer.open_sealer.open(pixels(text)[0]) for text in list_texts(answer, "html")
    ]
    campaign = derive_campaign_id("acme", "sale")
    assert opened == [OpenToken(campaign, f"d{n}", f"p{n}", int(NOW.timestamp())) for n in range(3)]


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("<body>a</body>", "<body>a|</body>"),
        ("<BODY>a</BODY >\r\n", "<BODY>a|</BODY >\r\n"),
        ("<body>a<!-- </body> --></body>", "<body>a<!-- </body> -->|</body>"),
        ("<body>a</body><!-- </body> -->", "<body>a|</body><!-- </body> -->"),
        (
            "<body><script>'</body>'</script>a</body>",
            "<body><script>'</body>'</script>a|</body>",
        ),
        (
            "<body><textarea></body></textarea></body>",
            "<body><textarea></body></textarea>|</body>",
        ),
        ('<body><a title="</body>">a</a></body>', '<body><a title="</body>">a</a>|</body>'),
        ("<body>a</body><p>b</body>", "<body>a</body><p>b|</body>"),
        (
            "<body>a<!--[if mso]></body><![endif]--></body>",
            "<body>a<!--[if mso]></body><![endif]-->|</body>",
        ),
        ("<body>a</body>\r\n</html>\r\n", "<body>a|</body>\r\n</html>\r\n"),
        ("<p>no body of its own", "<p>no body of its own|"),
        ("<p>{{ left }}</p>", "<p>{{ left }}</p>|"),
    ],
)
def test_pixel_position_is_the_end_of_the_body_as_browsers_parse_it(
    harness: RewriteHarness, source: str, where: str
) -> None:
    text = html(harness, source)
    assert len(pixels(text)) == 1
    assert PIXEL.sub("|", text) == where


@pytest.mark.parametrize(
    "more",
    [
        {"track_opens": False},
        {"track": False},
        {"track": False, "track_opens": None},
        {"track": False, "track_links": True},
    ],
)
def test_message_with_open_tracking_off_has_no_pixel(
    harness: RewriteHarness, more: dict[str, bool]
) -> None:
    assert html(harness, PAGE, **more) == PAGE


@pytest.mark.parametrize(
    "more",
    [
        {"track": False, "track_opens": True},
        {"track_links": False},
        {"track_links": False, "track_opens": True},
        {"track": False, "track_links": False, "track_opens": True},
    ],
)
def test_message_with_open_tracking_only_has_the_pixel_and_its_own_links(
    harness: RewriteHarness, more: dict[str, bool]
) -> None:
    harness.save_settings(url_params={"u": "1"}, cio_id=True)
    source = '<body><a href="https://e.com/">x</a>|</body>'
    text = html(harness, source.replace("|", ""), **more)
    assert PIXEL.sub("|", text) == source


@pytest.mark.parametrize(
    "more",
    [
        {"track": False, "track_links": True},
        {"track_opens": False},
        {"track_links": True, "track_opens": False},
    ],
)
def test_message_with_link_tracking_only_has_no_pixel(
    harness: RewriteHarness, more: dict[str, bool]
) -> None:
    text = html(harness, '<body><a href="https://e.com/">x</a></body>', **more)
    assert pixels(text) == []
    assert "/e/c/" in text


def test_workspace_with_open_tracking_off_overrides_the_message(harness: RewriteHarness) -> None:
    harness.save_settings(track_opens=False)
    assert html(harness, PAGE, track_opens=True) == PAGE


@pytest.mark.parametrize("channel", ["in_app", "push"])
def test_other_channels_have_no_pixel(harness: RewriteHarness, channel: str) -> None:
    assert html(harness, PAGE, channel=channel) == PAGE


def test_a_text_part_has_no_pixel(harness: RewriteHarness) -> None:
    answer = harness.rewrite(content={"html": PAGE, "text": "hello </body>"})
    assert list_texts(answer) == ["hello </body>"]


def test_the_pixel_adds_nothing_to_the_links(harness: RewriteHarness) -> None:
    answer = harness.rewrite(content={"html": '<body><a href="https://a.example/">a</a></body>'})
    assert [link["position"] for link in answer["links"]] == [1]


def test_rewriting_again_adds_no_second_pixel(harness: RewriteHarness) -> None:
    once = html(harness, PAGE)
    assert html(harness, once) == once


def test_pixel_of_another_stack_does_not_replace_the_own_pixel(harness: RewriteHarness) -> None:
    theirs = f'<body><img src="{BASE}/e/o/AAAA/BBBB"></body>'
    assert len(pixels(html(harness, theirs))) == 1


@pytest.mark.parametrize(
    ("source", "where"),
    [
        (
            "<body>{{ customer.name }}{% if x %}</p>{% endif %}</body>",
            "<body>Ada|</body>",
        ),
        ("<body>{% for i in (1..2) %}{{ i }}{% endfor %}</body></html>", "<body>12|</body></html>"),
        ("<p>{{ customer.name }}", "<p>Ada|"),
        ("{{ page }}", "<body>x|</body>"),
        (
            '<body><a href="https://a.example/{{ customer.name }}">a</a>{{ customer.name }}</body>',
            None,
        ),
    ],
)
def test_template_gets_a_pixel_at_the_end_of_each_message(
    harness: RewriteHarness, source: str, where: str | None
) -> None:
    data = {"customer": {"name": "Ada"}, "page": "<body>x</body>", "x": False}
    answer = harness.rewrite(
        content={"html": source},
        liquid=True,
        recipients=[{"delivery": "d0", "person": "p0", "data": data}],
    )
    [text] = list_texts(answer, "html")
    assert len(pixels(text)) == 1
    assert where is None or PIXEL.sub("|", text) == where
    assert PIXEL.search(text + "</body>") is not None


def mime(body: str, encoding: str) -> str:
    head = (
        "From: a@example.com\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello </body>\r\n"
        f"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}"
        "\r\n\r\n"
    )
    return head + body + "\r\n--b--\r\n"


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize(
    "source", [PAGE, "<p>žluť and no body", '<body><a href="https://a.example/">a</a></body>']
)
def test_html_part_of_a_mime_message_gets_the_pixel_in_its_encoding(
    harness: RewriteHarness, encoding: str, source: str
) -> None:
    written = {
        "8bit": source,
        "quoted-printable": quopri.encodestring(source.encode()).decode().replace("\n", "\r\n"),
        "base64": base64.encodebytes(source.encode()).decode().strip(),
    }[encoding]
    raw = mime(written, encoding)
    assert list_texts(harness.rewrite(content={"mime": raw}, track=False), "mime") == [raw]
    [changed] = list_texts(harness.rewrite(content={"mime": raw}), "mime")
    _, plain, page = message_from_string(changed).walk()
    assert plain.get_payload() == "hello </body>"
    data = page.get_payload() if encoding == "8bit" else page.get_payload(decode=True)
    shown = data.decode() if isinstance(data, bytes) else str(data)
    assert len(pixels(shown)) == 1
    at = PIXEL.search(shown)
    assert at is not None
    assert shown[at.end() :].strip() in {"</body></html>", "</body>", ""}
    blank = re.sub(re.escape(BASE) + r"/e/c/[\w/-]+", "https://a.example/", PIXEL.sub("", shown))
    assert blank.strip() == source


def test_mime_message_without_its_pixel_is_the_original(harness: RewriteHarness) -> None:
    for encoding, body in (("base64", "PHA+eDwv\r\ncD4="), ("quoted-printable", "<p>=\r\nx</p>")):
        raw = mime(body, encoding)
        assert list_texts(harness.rewrite(content={"mime": raw}, track_opens=False), "mime") == [
            raw
        ]


def test_part_that_cannot_be_decoded_gets_no_pixel(harness: RewriteHarness):
    source = "Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n!!!!a"
    (delivery,) = harness.rewrite(content={"mime": source})["deliveries"]
    assert delivery["content"]["mime"] == source
