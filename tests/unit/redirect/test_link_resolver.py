"""Short links and stored destinations are resolved and recorded like signed links."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.redirect_harness import RedirectHarness, make_request
from waypost.errors import (
    CorruptItem,
    ExpiredShortLink,
    MalformedToken,
    MissingDestination,
    StoreUnavailable,
    TokenError,
    UnknownShortLink,
)
from waypost.ids import extract_workspace_id
from waypost.models.click import MAX_HREF_CHARACTERS
from waypost.models.short_link import LongDestination, ShortLink, generate_code
from waypost.redirect.service import MAX_LOOKUP_ATTEMPTS, ClickOutcome
from waypost.tokens import ClickToken
from waypost.tokens.codec import PERSON_PLACEHOLDER


def add_short_link(harness: RedirectHarness, token: ClickToken, expires: int | None = None) -> str:
    link = ShortLink(generate_code(), harness.sealer.seal(token), expires)
    harness.short_links.add([link])
    return link.code


class UnavailableShortLinks:
    """Make the table unavailable for ``times`` reads."""

    def __init__(self, harness: RedirectHarness, times: int) -> None:
        self.calls, self._times, self._desk = 0, times, harness
        self._find, self._destination = harness.short_links.get, harness.short_links.get_destination

    def get(self, code: str) -> ShortLink | None:
        self._fail()
        return self._find(code)

    def get_destination(self, *key: str) -> str | None:
        self._fail()
        return self._destination(*key)  # type: ignore[arg-type]

    def _fail(self) -> None:
        self.calls += 1
        if self.calls <= self._times:
            raise StoreUnavailable("away")


def make_unavailable(
    harness: RedirectHarness, monkeypatch: pytest.MonkeyPatch, times: int = 99
) -> UnavailableShortLinks:
    table = UnavailableShortLinks(harness, times)
    monkeypatch.setattr(harness.short_links, "get", table.get)
    monkeypatch.setattr(harness.short_links, "get_destination", table.get_destination)
    return table


def test_short_link_redirects_to_the_destination_of_its_token(
    harness: RedirectHarness, token: ClickToken
) -> None:
    arrival = harness.redirect_service.handle_short_link(
        add_short_link(harness, token), make_request()
    )
    assert (arrival.location, arrival.outcome) == (token.href, ClickOutcome.RECORDED)
    [click] = harness.clicks.stream
    assert (click.link, click.person, click.href) == (token.link, "p1", token.href)


def test_old_short_link_code_in_capitals_is_resolved(
    harness: RedirectHarness, token: ClickToken
) -> None:
    code = "256789cdhjnrtw25678"  # codes of before December 2026 have one case
    harness.short_links.add([ShortLink(code, harness.sealer.seal(token), None)])
    code = code.upper()
    assert harness.redirect_service.handle_short_link(code, make_request()).location == token.href


def test_preview_of_a_short_link_is_not_counted(
    harness: RedirectHarness, token: ClickToken
) -> None:
    code = add_short_link(harness, token)
    for unseen in (make_request("HEAD"), make_request(prefetch=True)):
        assert (
            harness.redirect_service.handle_short_link(code, unseen).outcome
            is ClickOutcome.NOT_A_CLICK
        )
    assert harness.clicks.stream == []


@pytest.mark.parametrize("code", ["", "x", "2" * 19, "2" * 18, "🎈" * 19])
def test_unknown_code_raises_unknown_short_link(
    harness: RedirectHarness, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnknownShortLink):
        harness.redirect_service.handle_short_link(code, make_request())
    assert "ShortLinkUnknown" in capsys.readouterr().out


def test_text_that_cannot_be_a_code_is_not_looked_up(
    harness: RedirectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make_unavailable(harness, monkeypatch)
    with pytest.raises(UnknownShortLink):
        harness.redirect_service.handle_short_link("not-a-code", make_request())
    assert table.calls == 0


def test_expired_link_raises_expired_short_link(
    harness: RedirectHarness, token: ClickToken
) -> None:
    code = add_short_link(harness, token, expires=int(harness.now) + 60)
    assert harness.redirect_service.handle_short_link(code, make_request()).location == token.href
    harness.now += 60  # although it is cached
    with pytest.raises(ExpiredShortLink):
        harness.redirect_service.handle_short_link(code, make_request())


def test_stored_token_with_a_bad_signature_is_rejected(
    harness: RedirectHarness, token: ClickToken
) -> None:
    payload, _, signature = harness.sealer.seal(token).partition("/")
    planted = ShortLink(generate_code(), f"{payload}/{'A' * len(signature)}", None)
    harness.short_links.add([planted])
    with pytest.raises(TokenError):
        harness.redirect_service.handle_short_link(planted.code, make_request())


def test_corrupt_item_raises_malformed_token(
    harness: RedirectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: str) -> None:
        raise CorruptItem("'token' is missing or not a text")

    monkeypatch.setattr(harness.short_links, "get", unreadable)
    with pytest.raises(MalformedToken):
        harness.redirect_service.handle_short_link(generate_code(), make_request())


def test_unavailable_table_raises_store_unavailable(
    harness: RedirectHarness,
    token: ClickToken,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = add_short_link(harness, token)
    table = make_unavailable(harness, monkeypatch)
    with pytest.raises(StoreUnavailable):
        harness.redirect_service.handle_short_link(code, make_request())
    assert table.calls == MAX_LOOKUP_ATTEMPTS
    assert "LookupFailed" in capsys.readouterr().out


def test_lookup_is_retried_after_one_failure(
    harness: RedirectHarness, token: ClickToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = add_short_link(harness, token)
    make_unavailable(harness, monkeypatch, times=1)
    assert harness.redirect_service.handle_short_link(code, make_request()).location == token.href


def test_resolved_links_are_cached(
    harness: RedirectHarness, token: ClickToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = add_short_link(harness, token)
    harness.redirect_service.handle_short_link(code, make_request())
    table = make_unavailable(harness, monkeypatch)
    assert (
        harness.redirect_service.handle_short_link(
            code, make_request(request_id="request-2")
        ).location
        == token.href
    )
    assert table.calls == 0


def long_token(harness: RedirectHarness, token: ClickToken, href: str) -> ClickToken:
    destination = LongDestination(extract_workspace_id(token.link), href)
    harness.short_links.add_destinations([destination])
    return replace(token, href="", stored_digest=destination.digest)


def test_stored_destination_is_resolved(harness: RedirectHarness, token: ClickToken) -> None:
    href = "https://example.com/?q=" + "x" * 4000
    stored = long_token(harness, token, href)
    arrival = harness.redirect_service.handle_click(harness.sealer.seal(stored), make_request())
    assert arrival.location == href
    [click] = harness.clicks.stream
    assert click.href == href[:MAX_HREF_CHARACTERS]


def test_person_parameter_is_filled_into_a_stored_destination(
    harness: RedirectHarness, token: ClickToken
) -> None:
    stored = long_token(
        harness, token, f"https://example.com/?{PERSON_PLACEHOLDER}&q=" + "x" * 4000
    )
    for person in ("p1", "jo+e@example.com"):
        sealed = harness.sealer.seal(replace(stored, person=person))
        href = harness.redirect_service.handle_click(
            sealed, make_request(request_id=f"request-{person}")
        ).location
        assert href.startswith(
            f"https://example.com/?_cio_id={person.replace('+', '%2B').replace('@', '%40')}&q=x"
        )


def test_missing_or_changed_destination_is_rejected(
    harness: RedirectHarness, token: ClickToken
) -> None:
    stored = long_token(harness, token, "https://example.com/?q=" + "x" * 4000)
    with pytest.raises(MissingDestination):
        harness.redirect_service.handle_click(
            harness.sealer.seal(replace(stored, stored_digest="00" * 16)), make_request()
        )
    workspace = extract_workspace_id(token.link)
    changed = LongDestination(workspace, "https://elsewhere.example/")
    harness.short_links._destinations[workspace, str(stored.stored_digest)] = changed
    with pytest.raises(MalformedToken):
        harness.redirect_service.handle_click(harness.sealer.seal(stored), make_request())


def test_stored_destination_with_a_placeholder_needs_a_person(
    harness: RedirectHarness, token: ClickToken
) -> None:
    stored = long_token(harness, token, f"https://example.com/?{PERSON_PLACEHOLDER}")
    with pytest.raises(MalformedToken):
        harness.redirect_service.handle_click(
            harness.sealer.seal(replace(stored, person=None)), make_request()
        )


def test_destination_of_another_workspace_is_not_resolved(
    harness: RedirectHarness, token: ClickToken
) -> None:
    stored = long_token(harness, token, "https://example.com/?q=" + "x" * 4000)
    elsewhere = "ffffffff" + token.link[8:]
    with pytest.raises(MissingDestination):
        harness.redirect_service.handle_click(
            harness.sealer.seal(replace(stored, link=elsewhere)),  # type: ignore[arg-type]
            make_request(),
        )


def test_no_click_is_recorded_if_the_destination_cannot_be_read(
    harness: RedirectHarness, token: ClickToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = harness.sealer.seal(long_token(harness, token, "https://example.com/?q=" + "x" * 4000))
    make_unavailable(harness, monkeypatch)
    with pytest.raises(StoreUnavailable):
        harness.redirect_service.handle_click(sealed, make_request())
    assert harness.clicks.stream == []
    assert harness.fallback_queue.clicks == []


def test_resolver_caches_are_bounded(harness: RedirectHarness, token: ClickToken) -> None:
    sealed = harness.sealer.seal(token)
    links = [ShortLink(generate_code(), sealed, None) for _ in range(2_500)]
    harness.short_links.add(links)
    for link in links:
        assert harness.link_resolver.resolve_short_link(link.code) == sealed
    assert len(harness.link_resolver._link_cache) <= 1_000
