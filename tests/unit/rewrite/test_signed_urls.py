"""URLs with a signed query keep it byte for byte, and the report says so."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.message_harness import MessageHarness, decode_links
from tests.redirect_harness import RedirectHarness, make_request
from tests.rewrite_harness import RewriteHarness
from waypost.rewrite.link_rules import find_signature

BASE64 = "c2lnbmF0dXJlIG9mIGEgdGVzdA%3D%3D"
SIGNED = {
    "S3 SigV4": (
        "https://b.s3.amazonaws.com/f.pdf?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AK%2F20261201%2Feu-west-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20261201T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=abc0"
    ),
    "S3 V2": f"https://b.s3.amazonaws.com/f?AWSAccessKeyId=AK&Signature={BASE64}&Expires=1",
    "CloudFront, canned policy": "https://d.cloudfront.net/f?Expires=1&Signature=a~&Key-Pair-Id=K",
    "CloudFront, custom policy": "https://d.cloudfront.net/f?Policy=eyJ_&Signature=a-&Key-Pair-Id=K",
    "Google Cloud Storage V4": (
        "https://storage.googleapis.com/b/f?X-Goog-Algorithm=GOOG4-RSA-SHA256"
        "&X-Goog-Credential=a&X-Goog-Date=1&X-Goog-Expires=9&X-Goog-SignedHeaders=host"
        "&X-Goog-Signature=0a"
    ),
    "Google Cloud Storage V2": (
        "https://storage.googleapis.com/b/f?GoogleAccessId=a%40b&Expires=1&Signature=a"
    ),
    "Azure SAS": (
        f"https://a.blob.core.windows.net/c/f?sv=2022-11-02&st=a&se=b&sr=b&sp=r&sig={BASE64}"
    ),
    "Azure SAS with a stored policy": (
        "https://a.blob.core.windows.net/c/f?sv=2022-11-02&si=policy&sr=b&sig=a%2B"
    ),
    "Alibaba OSS": "https://b.oss.aliyuncs.com/f?x-oss-expires=9&x-oss-signature=0a",
    "Laravel": "https://e.com/u/1?expires=1&signature=" + "0a" * 32,
    "Laravel without expiry": "https://e.com/u/1?signature=" + "0a" * 32,
    "Symfony": "https://e.com/u/1?_expiration=1&_hash=x",
    "Symfony without expiry": "https://e.com/u/1?_hash=" + BASE64,
    "Shopify": "https://shop.example/orders/1?id=7&hmac=9f86d081884c7d65",
    "unencoded URL in a query": "https://e.com/?to=https://b.s3.com/f?X-Amz-Signature=a&x=1",
    "encoded name": "https://e.com/?x%2Damz%2Dsignature=a",
    "semicolons": "https://e.com/?a=1;exp=1;sig=a",
    "fragment": "https://e.com/?sig=a&valid_until=1#top",
}


def build_html(url: str, attributes: str = "") -> str:
    return f'<a {attributes}href="{html.escape(url)}">x</a>'


@pytest.fixture
def adding(messages: MessageHarness) -> MessageHarness:
    messages.save_settings(url_params={"utm_source": "n"}, cio_id=True)
    return messages


@pytest.mark.parametrize("url", SIGNED.values(), ids=SIGNED)
def test_signed_url_keeps_its_query(adding: MessageHarness, url: str):
    sent = decode_links(adding.rewrite_content("html", build_html(url)))
    assert sent == f'<a href="[{url}]">x</a>'


@pytest.mark.parametrize("url", SIGNED.values(), ids=SIGNED)
def test_report_states_that_a_url_is_signed(adding: MessageHarness, url: str):
    [link] = adding.rewrite(content={"html": build_html(url)})["links"]
    assert (link["tracked"], link["destination"]) == (True, url)
    assert "it gets no parameters, because its query has a" in str(link["reason"])


@pytest.mark.parametrize("url", SIGNED.values(), ids=SIGNED)
def test_untracked_signed_url_does_not_change(adding: MessageHarness, url: str):
    source = build_html(url, 'class="untracked" ')
    answer = adding.rewrite(content={"html": source})
    assert answer["deliveries"][0]["content"]["html"] == source
    [link] = answer["links"]
    assert "it gets no parameters" in str(link["reason"])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"html": "{% cio_link url:URL track:false %}"}, "URL"),
        ({"html": "<p>{% cio_link url:URL %}</p>"}, "<p>[URL]</p>"),
        ({"html": '<a href="{% cio_link url:URL url_params:true %}">'}, '<a href="[URL]">'),
    ],
)
def test_signed_url_of_a_cio_link_keeps_its_query(
    adding: MessageHarness, content: dict[str, str], expected: str
):
    url = SIGNED["Shopify"].replace("&", "&amp;")
    sent = adding.rewrite_content("html", content["html"].replace("URL", url))
    assert html.unescape(decode_links(sent)) == html.unescape(expected.replace("URL", url))


def test_signed_url_in_a_text_keeps_its_query(adding: MessageHarness):
    url = SIGNED["S3 SigV4"]
    assert decode_links(adding.rewrite_content("text", url, channel="sms")) == f"[{url}]"


def test_signed_url_from_a_recipients_data_keeps_its_query(adding: MessageHarness):
    urls = [SIGNED["Laravel"], "https://e.com/plain"]
    people = [
        {"delivery": f"d{n}", "person": f"p{n}", "data": {"url": url}} for n, url in enumerate(urls)
    ]
    source = '<a href="{{ url | escape }}">x</a>'
    answer = adding.rewrite(content={"html": source}, recipients=people, liquid=True)
    sent = [decode_links(str(each["content"]["html"])) for each in answer["deliveries"]]
    assert sent == [
        f'<a href="[{urls[0]}]">x</a>',
        '<a href="[https://e.com/plain?_cio_id=p1&utm_source=n]">x</a>',
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://e.com/?sig=short",
        "https://e.com/?signature=",
        "https://e.com/?signature&expires=1",
        "https://e.com/?X-Amz-Signature=",
        "https://e.com/?Key-Pair-Id=K&AWSAccessKeyId=A&GoogleAccessId=G&sv=1",
        "https://e.com/?design=0123456789abcdef&assign=0123456789abcdef",
        "https://e.com/?content_hash=0123456789abcdef",
        "https://e.com/signature=0123456789abcdef",
        "https://e.com/#?signature=0123456789abcdef",
        "https://e.com/?x=signature=0123456789abcdef",
        "https://e.com/?experience=1&sig=short",
    ],
)
def test_url_without_a_signature_gets_the_parameters(adding: MessageHarness, url: str):
    [link] = adding.rewrite(content={"html": build_html(url)})["links"]
    assert "_cio_id=p1&utm_source=n" in str(link["destination"])
    assert find_signature(url) is None


def test_workspace_lists_further_parameters_that_sign_a_url(adding: MessageHarness):
    url = "https://e.com/?a=1&Chk=7"
    [link] = adding.rewrite(content={"html": build_html(url)})["links"]
    assert link["destination"] == f"{url}&_cio_id=p1&utm_source=n"
    adding.save_settings(signed_params=("CHK",))
    [link] = adding.rewrite(content={"html": build_html(url)})["links"]
    assert link["destination"] == url
    assert link["reason"] == "it gets no parameters, because its query has a signature in 'chk'"
    assert find_signature("https://e.com/?checks=1", {"chk"}) is None


def test_url_that_would_get_no_parameters_anyway_has_no_reason(adding: MessageHarness):
    source = build_html(SIGNED["Shopify"])
    [link] = adding.rewrite(content={"html": source}, url_params=False)["links"]
    assert (link["tracked"], link["reason"]) == (True, None)


class TestRealSignature:
    """A URL that botocore signed is still valid in the Location header after a click."""

    CREDENTIALS = Credentials("AKIDEXAMPLE", "a secret key of a test", token="a/token+of=a test")

    def sign_url(self, url: str) -> str:
        request = AWSRequest("GET", url)
        S3SigV4QueryAuth(self.CREDENTIALS, "s3", "eu-west-1", expires=900).add_auth(request)
        return str(request.url)

    def compute_signature(self, url: str) -> str:
        """Recompute the signature of a URL from all its other parameters, as S3 does."""
        before, _, after = url.partition("&X-Amz-Signature=")
        _, separator, added = after.partition("&")
        request = AWSRequest("GET", before + separator + added)
        [date] = parse_qs(urlsplit(url).query)["X-Amz-Date"]
        request.context["timestamp"] = date
        auth: Any = S3SigV4QueryAuth(self.CREDENTIALS, "s3", "eu-west-1", expires=900)
        return str(
            auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        )

    @pytest.mark.parametrize(
        "url",
        [
            "https://b.s3.eu-west-1.amazonaws.com/report.pdf",
            "https://b.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC.pdf?versionId=3%2Bx",
            "https://b.s3.amazonaws.com/f?response-content-disposition=attachment%3B%20a%3D1",
        ],
    )
    def test_signature_of_the_location_after_a_click_is_valid(self, url: str):
        signed = self.sign_url(url)
        redirect = RedirectHarness()
        sending = RewriteHarness(sealer=redirect.sealer, short_links=redirect.short_links)
        sending.save_settings(url_params={"utm_source": "n"}, cio_id=True, track_opens=False)
        answer = sending.rewrite(content={"html": build_html(signed)})
        sent = str(answer["deliveries"][0]["content"]["html"])
        token = sent.partition("/e/c/")[2].partition('"')[0]
        location = redirect.redirect_service.handle_click(token, make_request()).location
        [signature] = parse_qs(urlsplit(location).query)["X-Amz-Signature"]
        assert self.compute_signature(location) == signature
        assert location == signed

    def test_an_added_parameter_makes_the_signature_invalid(self):
        signed = self.sign_url("https://b.s3.amazonaws.com/f")
        [signature] = parse_qs(urlsplit(signed).query)["X-Amz-Signature"]
        assert self.compute_signature(signed) == signature
        assert self.compute_signature(f"{signed}&_cio_id=p1") != signature
