"""Share tokens: scope, expiry, key rotation and tampering."""

from datetime import UTC, datetime, timedelta

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from waypost.errors import ShareAccessDenied
from waypost.reports.share_links import ShareScope, ShareSigner
from waypost.tokens.signer import Keyring

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
OLD, NEW = b"o" * 32, b"n" * 32
SCOPE = ShareScope("acme", "spring/€", people=True)


def create_signer(*keys: bytes, now: datetime = NOW) -> ShareSigner:
    return ShareSigner(Keyring(keys or (OLD,)), lambda: now)


def test_a_share_token_contains_its_scope_and_expiry():
    share = create_signer().verify_token(create_signer().create_token(SCOPE, 3))
    assert (share.scope, share.expires) == (SCOPE, NOW + timedelta(hours=3))


def test_a_share_token_expires_after_its_hours():
    token = create_signer().create_token(SCOPE, 3)
    assert create_signer(now=NOW + timedelta(hours=3, seconds=-1)).verify_token(token)
    with pytest.raises(ShareAccessDenied, match="expired") as caught:
        create_signer(now=NOW + timedelta(hours=3)).verify_token(token)
    assert caught.value.reason == "expired"


def test_key_rotation_revokes_share_tokens():
    token = create_signer(OLD).create_token(SCOPE, 3)
    assert create_signer(OLD).verify_token(token)
    with pytest.raises(ShareAccessDenied) as caught:
        create_signer(OLD, NEW).verify_token(token)
    assert caught.value.reason == "tampered"


def test_a_token_with_a_changed_or_missing_character_is_refused():
    token = create_signer().create_token(SCOPE, 3)
    for at, character in enumerate(token):
        other = "A" if character != "A" else "Q"
        for tampered in (token[:at] + other + token[at + 1 :], token[:at] + token[at + 1 :]):
            try:
                opened = create_signer().verify_token(tampered)
            except ShareAccessDenied:
                continue
            assert opened == create_signer().verify_token(
                token
            )  # base64's unused bits spell the same bytes


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "/", "\0", "é", "x" * 5_000])
def test_malformed_tokens_are_refused(token):
    with pytest.raises(ShareAccessDenied):
        create_signer().verify_token(token)


def test_a_signature_with_another_salt_is_refused():
    for salt in (b"waypost.click", b"waypost.open", b"itsdangerous"):
        forged = URLSafeTimedSerializer(OLD, salt=salt, signer=TimestampSigner)
        with pytest.raises(ShareAccessDenied):
            create_signer().verify_token(str(forged.dumps([1, "acme", None, True, 3])))


@pytest.mark.parametrize(
    "payload",
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
def test_a_token_of_a_later_version_is_refused_with_this_reason(payload):
    """After a rollback, readers still have share links of the newer release."""
    later = create_signer()._serializer.dumps(payload)
    with pytest.raises(ShareAccessDenied) as caught:
        create_signer().verify_token(str(later))
    assert caught.value.reason == "version"


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
def test_a_scope_covers_only_its_pages(scope, workspace, campaign, people, covered):
    assert scope.covers(workspace, campaign, people=people) is covered
