"""Only signed tokens open; ``make soak`` tries a million forgeries."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from random import Random

import pytest

from tests.trust.attempts import count_attempts
from tests.trust.token_forgeries import FORGERIES, KEYRING, Forgery, seal_random_token
from waypost.domains.probe_token import build_probe_response, is_probe_answer
from waypost.errors import BadSignature, ShareAccessDenied, TokenError
from waypost.redirect.service import TokenVerifier
from waypost.reports.share_links import ShareSigner
from waypost.tokens import TokenSealer
from waypost.tokens.keyring import KeyringSource

EACH = count_attempts(short=200, long=1_000_000 // len(FORGERIES) + 1)


class Secrets:
    def get_secret_value(self, *, SecretId: str) -> dict[str, object]:  # noqa: N803
        keys = [{"secret": urlsafe_b64encode(key).decode()} for key in KEYRING.keys]
        return {"SecretString": json.dumps({"keys": keys})}


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.__name__)
def test_forged_token_does_not_open(forgery: Forgery, random: Random) -> None:
    sealer, tokens = TokenSealer(KEYRING), TokenVerifier(KeyringSource(Secrets(), "keyring"))
    tried = 0
    pool = [
        seal_random_token(random, workspace=name) for name in ("acme", "other") for _ in range(50)
    ]
    signed = {one.text for one in pool}
    while tried < EACH:
        forged = forgery(random, *random.sample(pool, 2))
        if forged in signed:
            continue
        tried += 1
        with pytest.raises(TokenError):
            sealer.open(forged)
        try:
            opened = tokens.verify_click_token(forged)
        except TokenError:
            continue
        # Repairing a link may restore a signed token, never another one.
        assert sealer.seal(opened) in signed, forged
        assert sealer.seal(opened) == forged[: len(sealer.seal(opened))], forged


def test_signed_token_opens() -> None:
    one = seal_random_token(Random(1))
    assert (
        TokenVerifier(KeyringSource(Secrets(), "keyring")).verify_click_token(one.text) == one.token
    )


@pytest.mark.parametrize("nonce", ["a" * 16, "A" * 64, "AQ" + "-_" * 20])
def test_probe_answer_does_not_open_as_a_token(nonce: str) -> None:
    """Anyone can request a probe answer with any text, so it is signed for another purpose."""
    answered = build_probe_response(KEYRING, nonce)["body"]
    tokens = TokenVerifier(KeyringSource(Secrets(), "keyring"))
    for opened in (
        TokenSealer(KEYRING).open,
        TokenSealer(KEYRING).open_sealer.open,
        tokens.verify_click_token,
        tokens.verify_open_token,
    ):
        with pytest.raises(BadSignature):
            opened(answered)
    with pytest.raises(ShareAccessDenied):
        ShareSigner(KEYRING, lambda: datetime(2026, 11, 22, tzinfo=UTC)).verify_token(answered)
    assert not is_probe_answer(KEYRING, nonce, seal_random_token(Random(1)).text.encode())
