from datetime import UTC, datetime, timedelta

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from waypost.errors import ShareAccessDenied
from waypost.reports.share_links import ShareScope, ShareSigner
from waypost.tokens.signer import Keyring

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
OLD, NEW = b"o" * 32, b"n" * 32
SCOPE = ShareScope("acme", "spring/€", people=True)


def sharer(*keys: bytes, now: datetime = NOW) -> ShareSigner:
    return ShareSigner(Keyring(keys or (OLD,)), lambda: now)


def test_a_share_says_what_it_was_made_for():
    share = sharer().verify_token(sharer().create_token(SCOPE, 3))
    assert (share.scope, share.expires) == (SCOPE, NOW + timedelta(hours=3))


def test_a_share_ends_when_its_hours_are_over():
    token = sharer().create_token(SCOPE, 3)
    assert sharer(now=NOW + timedelta(hours=3, seconds=-1)).verify_token(token)
    with pytest.raises(ShareAccessDenied, match="expired") as refused:
        sharer(now=NOW + timedelta(hours=3)).verify_token(token)
    assert refused.value.reason == "expired"


def test_rotating_the_keys_revokes_every_share():
    token = sharer(OLD).create_token(SCOPE, 3)
    assert sharer(OLD).verify_token(token)
    with pytest.raises(ShareAccessDenied) as refused:
        sharer(OLD, NEW).verify_token(token)
    assert refused.value.reason == "tampered"


def test_no_character_can_be_changed_left_out_or_added():
    token = sharer().create_token(SCOPE, 3)
    for at, character in enumerate(token):
        other = "A" if character != "A" else "Q"
        for spoilt in (token[:at] + other + token[at + 1 :], token[:at] + token[at + 1 :]):
            try:
                opened = sharer().verify_token(spoilt)
            except ShareAccessDenied:
                continue
            assert opened == sharer().verify_token(
                token
            )  # base64's unused bits spell the same bytes


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "/", "\0", "é", "x" * 5_000])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(ShareAccessDenied):
        sharer().verify_token(token)


def test_a_signature_made_for_another_purpose_is_worth_nothing():
    for salt in (b"waypost.click", b"waypost.open", b"itsdangerous"):
        forged = URLSafeTimedSerializer(OLD, salt=salt, signer=TimestampSigner)
        with pytest.raises(ShareAccessDenied):
            sharer().verify_token(str(forged.dumps([1, "acme", None, True, 3])))


@pytest.mark.parametrize(
    "said",
    [
        [2, "acme", None, True, 3],
        [2, "acme", None, True, 3, "and who made it"],
        [2],
        [],
        {"version": 2, "workspace": "acme"},
        "acme",
        None,
        [1, "acme", None, True],
        [1, "acme", None, "true", 3],
        [1, 5, None, True, 3],
        [1, "acme", None, True, "3"],
        [1, "acme", None, True, 10**12],
    ],
)
def test_what_a_later_version_signed_is_refused_as_such(said):
    """After a release is taken back, shares of the newer one are still in people's hands."""
    later = sharer()._serializer.dumps(said)
    with pytest.raises(ShareAccessDenied) as refused:
        sharer().verify_token(str(later))
    assert refused.value.reason == "version"


@pytest.mark.parametrize(
    ("scope", "workspace", "campaign", "people", "covered"),
    [
        (ShareScope("acme"), "acme", None, False, True),
        (ShareScope("acme"), "acme", "spring", False, True),
        (ShareScope("acme"), "acme", "spring", True, False),
        (ShareScope("acme"), "other", None, False, False),
        (ShareScope("acme", people=True), "acme", "spring", True, True),
        (ShareScope("acme", "spring"), "acme", "spring", False, True),
        (ShareScope("acme", "spring"), "acme", "autumn", False, False),
        (ShareScope("acme", "spring"), "acme", None, False, False),
        (ShareScope("acme", "spring"), "other", "spring", False, False),
        (ShareScope("acme", "spring"), "acme", "spring", True, False),
        (ShareScope("acme", "spring", people=True), "acme", "spring", True, True),
        (ShareScope("acme", "spring", people=True), "acme", None, True, False),
    ],
)
def test_what_a_scope_covers(scope, workspace, campaign, people, covered):
    assert scope.covers(workspace, campaign, people=people) is covered
