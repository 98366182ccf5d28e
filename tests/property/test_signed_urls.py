"""A signed URL passes through rewriting unchanged, wherever its signature is in the query."""

from __future__ import annotations

from html import escape

from hypothesis import given
from hypothesis import strategies as st

from tests.message_harness import MessageHarness, decode_links
from waypost.rewrite.link_rules import find_signature

TEXT = st.text(st.sampled_from("abz019-._~%&=/+@!$'()*,:"), max_size=12)
PAIR = st.text(st.sampled_from("abz019-._~%=/+@!$'()*,:"), min_size=1, max_size=16)
LETTERS = st.characters(codec="ascii", categories=["Ll", "Lu", "Nd"])
LONG_VALUE = st.text(LETTERS, min_size=16, max_size=64)
VALUE = st.text(LETTERS, min_size=1, max_size=64)
EXPIRY = st.sampled_from(["expires", "Expires", "expiry", "exp", "valid_until", "link-expires-at"])
SIGNATURE_NAME = st.sampled_from(
    ["signature", "Signature", "sig", "url_sig", "hmac", "_hash", "x-oss-signature", "urlSignature"]
)


def encode_some(name: str, positions: set[int]) -> str:
    return "".join(f"%{ord(c):02X}" if i in positions else c for i, c in enumerate(name))


NAME = st.builds(encode_some, SIGNATURE_NAME, st.sets(st.integers(0, 15), max_size=4))
SIGNING_PAIRS = st.one_of(
    st.tuples(st.builds("{}={}".format, NAME, LONG_VALUE)),
    st.tuples(st.builds("{}={}".format, NAME, VALUE), st.builds("{}=1".format, EXPIRY)),
    st.tuples(st.builds("X-Amz-Signature={}".format, VALUE), st.just("X-Amz-Expires=900")),
    st.tuples(st.builds("X-Goog-Signature={}".format, VALUE)),
    st.tuples(st.builds("Signature={}".format, VALUE), st.just("Key-Pair-Id=K")),
    st.tuples(st.builds("Signature={}".format, VALUE), st.just("AWSAccessKeyId=K")),
    st.tuples(st.builds("Signature={}".format, VALUE), st.just("GoogleAccessId=K")),
    st.tuples(st.builds("sig={}".format, VALUE), st.just("sv=2022-11-02")),
)


@st.composite
def signed_urls(draw: st.DrawFn) -> str:
    pairs = [*draw(SIGNING_PAIRS), *draw(st.lists(PAIR, max_size=4))]
    query = draw(st.sampled_from("&;")).join(draw(st.permutations(pairs)))
    fragment = draw(st.one_of(st.just(""), TEXT.map("#{}".format)))
    path = draw(st.text(LETTERS, max_size=8))
    return f"https://e.com/{path}?{query}{draw(st.sampled_from(['', '&', ';']))}{fragment}"


@given(
    url=signed_urls(),
    is_tracked=st.booleans(),
    parameters=st.dictionaries(VALUE, VALUE, max_size=2),
    secret_links=st.sampled_from(["warn", "untrack"]),
    cio_id=st.booleans(),
)
def test_signed_url_is_never_modified(
    url: str, is_tracked: bool, parameters: dict[str, str], secret_links: str, cio_id: bool
):
    messages = MessageHarness()
    messages.save_settings(
        url_params=parameters, cio_id=cio_id, secret_links=secret_links, track_opens=False
    )
    attributes = "" if is_tracked else 'class="untracked" '
    source = f'<a {attributes}href="{escape(url)}">x</a>'
    answer = messages.rewrite(content={"html": source})
    [link] = answer["links"]
    sent = str(answer["deliveries"][0]["content"]["html"])
    if link["tracked"]:
        assert decode_links(sent) == f'<a href="[{url}]">x</a>'
    else:
        assert sent == source
    assert link["destination"] in (None, url)
    assert link["reason"]


@given(url=st.text(st.sampled_from("sighmac_-.%?&;=#/0aA7xpe+~"), max_size=60))
def test_url_without_a_query_is_never_signed(url: str):
    assert find_signature(url.replace("?", ""), {"a"}) is None
    assert find_signature("#" + url, {"a"}) is None
