"""Raw messages: text parts are rewritten in their own encoding; every other byte stays."""

from __future__ import annotations

import email
import email.policy
import re
from base64 import b64decode, b64encode, encodebytes
from email.message import EmailMessage, Message
from quopri import decodestring, encodestring

import pytest

from tests.message_harness import MessageHarness, decode_links
from waypost.errors import InvalidRequest

HTML = "".join(
    f'<a href="https://e.com/ä?n={n}&amp;x=1">a link</a> Ünïcödé {n}, amid a line that goes on\n'
    for n in range(4)
)
TEXT = "Grüße: https://e.com/t, bye\n"


def build_message(encoding: str, charset: str = "utf-8", newline: str = "\r\n") -> str:
    message = EmailMessage(policy=email.policy.SMTP.clone(linesep=newline))
    message["Subject"] = "Grüße"
    message["X-Long"] = "a " * 60
    message.set_content(TEXT, cte=encoding, charset=charset)
    message.add_alternative(HTML, subtype="html", cte=encoding, charset=charset)
    message.add_attachment('<a href="https://e.com/a">', subtype="html", filename="a.html")
    message.add_attachment(b"\x00\xff" * 99, maintype="image", subtype="png", filename="i.png")
    return message.as_bytes().decode(charset)


def parse_parts(text: str) -> list[tuple[list[tuple[str, str]], bytes]]:
    parsed = email.message_from_bytes(text.encode())
    return [(part.items(), _decode_body(part)) for part in parsed.walk()]


def _decode_body(part: Message) -> bytes:
    body = part.get_payload(decode=True)
    return body if isinstance(body, bytes) else b""


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize(
    ("encoding", "charset"),
    [
        ("quoted-printable", "utf-8"),
        ("quoted-printable", "iso-8859-1"),
        ("base64", "utf-8"),
        ("base64", "iso-8859-1"),
        ("8bit", "utf-8"),  # JSON cannot contain the bytes of other charsets
    ],
)
def test_text_parts_are_rewritten_in_every_transfer_encoding(
    messages: MessageHarness, encoding, charset, newline
):
    source = build_message(encoding, charset, newline)
    rewritten = messages.rewrite_content("mime", source, track_text=True)
    for (headers, before), (same, after) in zip(
        parse_parts(source), parse_parts(rewritten), strict=True
    ):
        assert headers == same
        expected = before.decode(charset, "replace")
        if ("Content-Disposition", 'attachment; filename="a.html"') not in headers:
            expected = re.sub(
                r"https://e.com/ä\?n=(\d)&amp;x=1", r"[https://e.com/%C3%A4?n=\1&x=1]", expected
            ).replace("https://e.com/t", "[https://e.com/t]")
        assert decode_links(after.decode(charset, "replace")) == expected


def test_quoted_printable_part_changes_only_in_link_values(messages: MessageHarness):
    source = build_message("quoted-printable")
    rewritten = messages.rewrite_content("mime", source)
    assert max(map(len, rewritten.splitlines())) <= max(map(len, source.splitlines()))
    link = r'=\r\nhttps://e\.example\.com/(?:[\w\-/]|=\r\n)+=\r\n(?=">)'
    assert re.sub(link, "*", rewritten) == re.sub(r'https://e\.com/=C3[^"]+(?=">)', "*", source)


def test_mime_message_without_tracked_links_stays_byte_identical(messages: MessageHarness):
    source = build_message("base64").replace("\r\n", "\n", 3)
    messages.save_settings(never_track=("*",))
    assert messages.rewrite_content("mime", source, track_text=True) == source


def test_base64_part_keeps_its_line_length(messages: MessageHarness):
    rewritten = messages.rewrite_content("mime", build_message("base64"))
    assert max(map(len, rewritten.splitlines())) == max(
        map(len, build_message("base64").splitlines())
    )


@pytest.mark.parametrize(
    "source",
    [
        "",
        "no headers at all",
        "\r\nbody https://e.com",
        "Subject: x",
        "Content-Type: text/html\n\n<p>",
        "Content-Type: multipart/mixed\n\n--x\n\nno boundary",
        'Content-Type: multipart/mixed; boundary="b"\n\npreamble\n--b\n\n--b--\nepilogue',
        'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/html\n\n<p>cut',
        "Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n*not base64*",
        "Content-Type: text/html; charset=nonsense\nContent-Transfer-Encoding: base64\n\n/w==\n",
        "Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n=ZZ= =\n=",
        "Content-Type: multipart/mixed; boundary*=a\0''b\n\n--b\n\n--b--\n",  # from fuzzing
        "Content-Type: multipart/mixed; boundary*=''; boundary*1=c\n\n--c\n\n--c--\n",
        "Content-Type: text/html; charset*; charset*0=utf-8\n\n<p>",
        "Content-Type: text/html\nContent-Transfer-Encoding: x-mine\n\n<a href='https://e.com/'>",
    ],
)
def test_malformed_mime_message_stays_byte_identical(messages: MessageHarness, source):
    assert messages.rewrite_content("mime", source) == source


@pytest.mark.parametrize(
    "encoding_header", ["Quoted-Printable (soft)", "quoted-printable;", "\n QUOTED-PRINTABLE"]
)
def test_text_after_the_transfer_encoding_is_ignored(
    messages: MessageHarness, encoding_header: str
):
    source = (
        f"Content-Type: text/plain\nContent-Transfer-Encoding: {encoding_header}\n\n"
        "see https://e.com/a=\nb?c=3Dd now"
    )
    rewritten = (
        messages.rewrite_content("mime", source, track_text=True).partition("\n\n")[2].encode()
    )
    assert decode_links(decodestring(rewritten).decode()) == "see [https://e.com/ab?c=d] now"


def test_multipart_boundaries_with_a_common_prefix_are_distinguished(messages: MessageHarness):
    source = (
        'Content-Type: multipart/mixed; boundary="b"\n\n--b\n'
        'Content-Type: multipart/alternative; boundary="bb"\n\n--bb\n'
        'Content-Type: text/html\n\n<a href="https://e.com/1">\n--bb--\n'
        '--b\nContent-Type: text/html\n\n<a href="https://e.com/2">\n--b--\n'
        '<a href="https://e.com/epilogue">'
    )
    assert decode_links(messages.rewrite_content("mime", source)) == source.replace(
        "https://e.com/1", "[https://e.com/1]"
    ).replace("https://e.com/2", "[https://e.com/2]")


def test_stateful_charset_is_decoded_before_links_are_found(messages: MessageHarness):
    html = '日本語<a href="https://e.com/x">'.encode("iso-2022-jp").decode("ascii")
    source = f"Content-Type: text/html; charset=iso-2022-jp\n\n{html}"
    assert decode_links(messages.rewrite_content("mime", source)) == source.replace(
        "https://e.com/x", "[https://e.com/x]"
    )


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("utf-8", "utf-8"),
        ("utf-16", "utf-16"),
        ("us-ascii", "utf-8"),
        ("nonsense", "utf-8"),
        ("utf-8", "latin-1"),
        ("idna", "utf-8"),
        ("undefined", "latin-1"),
        ("'a\0b'", "utf-8"),
        ("a\0b''utf-8", "utf-8"),
    ],
)
def test_mime_part_is_decoded_with_any_charset_name(
    messages: MessageHarness, encoding, declared, codec
):
    link = '<a href="https://e.com/ä">{% cio_link url:mailto:ö@e.com track:false %}</a>'
    data = link.encode(codec)
    body = b64encode(data).decode() if encoding == "base64" else encodestring(data).decode()
    name = "charset*" if "''" in declared else "charset"
    source = (
        f"Content-Type: text/html; {name}={declared}\n"
        f"Content-Transfer-Encoding: {encoding}\n\n{body}"
    )
    rewritten = messages.rewrite_content("mime", source).partition("\n\n")[2].encode()
    after = (b64decode(rewritten) if encoding == "base64" else decodestring(rewritten)).decode(
        codec
    )
    assert decode_links(after) == '<a href="[https://e.com/%C3%A4]">mailto:ö@e.com</a>'


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        ('multipart/signed; protocol="application/pkcs7-signature"; boundary=b', "signed"),
        ('multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b', "encrypted"),
        ("application/pkcs7-mime; smime-type=enveloped-data", "S/MIME"),
    ],
)
def test_signed_or_encrypted_mime_message_is_refused(
    messages: MessageHarness, content_type, reason
):
    with pytest.raises(InvalidRequest) as error:
        messages.rewrite(content={"mime": f"Content-Type: {content_type}\n\n--b\n\nx\n--b--"})
    assert error.value.problems[0].field == "content.mime"
    assert reason in error.value.problems[0].reason


def test_inline_pgp_text_is_refused_only_if_it_would_change(messages: MessageHarness):
    signed = "-----BEGIN PGP SIGNED MESSAGE-----\n\nhttps://e.com/x\n"
    assert messages.rewrite_content("mime", f"Subject: x\n\n{signed}") == f"Subject: x\n\n{signed}"
    with pytest.raises(InvalidRequest, match="PGP"):
        messages.rewrite(content={"mime": f"Subject: x\n\n{signed}"}, track_text=True)


@pytest.mark.parametrize("codec", ["punycode", "idna", "unicode_escape", "raw-unicode-escape"])
def test_part_in_a_codec_that_is_no_charset_is_read_as_utf_8(messages: MessageHarness, codec):
    html = '<a href="https://e.com/ä">ü</a>\n'
    source = (
        f"Content-Type: text/html; charset={codec}\n"
        f"Content-Transfer-Encoding: base64\n\n{encodebytes(html.encode()).decode()}"
    )
    [(_, body)] = parse_parts(messages.rewrite_content("mime", source))
    assert decode_links(body.decode()) == html.replace("https://e.com/ä", "[https://e.com/%C3%A4]")


def test_base64_in_utf_7_is_located_as_when_it_is_decoded_byte_by_byte(messages: MessageHarness):
    html = '<p>äöü+ é-1 日本語</p><a href="https://e.com/">ü</a>'
    source = f"Content-Type: text/html; charset=utf-7\n\n{html.encode('utf-7').decode()}\n"
    rewritten = messages.rewrite_content("mime", source)
    [(_, body)] = parse_parts(rewritten)
    assert decode_links(body.decode("utf-7")) == f"{html}\n".replace(
        "https://e.com/", "[https://e.com/]"
    )


@pytest.mark.parametrize("header", ["Content-Type: text/html", "Content-Disposition: inline"])
def test_header_with_too_many_parameters_is_refused(messages: MessageHarness, header):
    with pytest.raises(InvalidRequest) as error:
        messages.rewrite_content("mime", f"{header}{';' * 101}\n\n<p>")
    name = header.partition(":")[0].lower()
    assert error.value.problems[0].reason == f"has a {name} of more than 100 parameters (101)"


def test_mime_parts_nested_too_deep_are_refused(messages: MessageHarness):
    head = 'Content-Type: multipart/mixed; boundary="b{0}"\n\n--b{0}\n'
    with pytest.raises(InvalidRequest, match="deep"):
        messages.rewrite(content={"mime": "".join(head.format(n) for n in range(50))})


def test_dkim_signed_message_causes_a_warning(messages: MessageHarness):
    response = messages.rewrite(content={"mime": "DKIM-Signature: v=1\nSubject: x\n\nhi"})
    assert any("DKIM" in warning for warning in response["warnings"])


def test_line_over_998_characters_causes_a_warning(messages: MessageHarness):
    html = "x" * 900 + '<a href="https://e.com/">'
    response = messages.rewrite(content={"mime": f"Content-Type: text/html\n\n{html}"})
    assert any("998" in warning for warning in response["warnings"])


@pytest.mark.parametrize(
    ("encoding", "encode"), [("base64", encodebytes), ("quoted-printable", encodestring)]
)
def test_long_line_in_an_encoded_part_causes_no_warning(messages: MessageHarness, encoding, encode):
    html = "<p>" + "word " * 400 + '<a href="https://e.com/">x</a>'
    body = encode(html.encode()).decode()
    source = f"Content-Type: text/html\nContent-Transfer-Encoding: {encoding}\n\n{body}"
    assert messages.rewrite(content={"mime": source})["warnings"] == []


def test_mime_message_is_refused_as_a_template(messages: MessageHarness):
    with pytest.raises(InvalidRequest, match="rendered already"):
        messages.rewrite(content={"mime": "Subject: x\n\nhi"}, liquid=True)


def test_cio_link_is_found_in_an_encoded_part(messages: MessageHarness):
    source = (
        "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n"
        "Go {% cio_link url:https://e.com/?a=3D1 tr=\nack:true %}.\n"
    )
    rewritten = email.message_from_string(messages.rewrite_content("mime", source)).get_payload(
        decode=True
    )
    assert isinstance(rewritten, bytes)
    assert decode_links(rewritten.decode()) == "Go [https://e.com/?a=1].\n"
