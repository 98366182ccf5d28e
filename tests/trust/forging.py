"""Ways to make a token that nobody signed out of tokens that somebody did."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import TypeAlias

from waypost.ids import derive_campaign_id, derive_link_id
from waypost.reports.share_links import SHARE_SALT
from waypost.tokens import ClickToken, Keyring, OpenToken, TokenSealer
from waypost.tokens.signer import CLICK_TOKEN_SALT, SIGNATURE_BYTES, TokenSigner

OURS = Keyring((b"o" * 32, b"n" * 32))
THEIRS = Keyring((b"of another stack, thirty-two bytes",))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
EVIL = "https://evil.example/"


@dataclass(frozen=True)
class Sealed:
    """A token as it was sealed, and what it carries."""

    text: str
    token: ClickToken


Forgery: TypeAlias = Callable[[Random, Sealed, Sealed], str]


def sealed(random: Random, keyring: Keyring = OURS, workspace: str = "acme") -> Sealed:
    """Any token, its campaign and person drawn."""
    campaign = derive_campaign_id(workspace, f"campaign {random.randrange(20)}")
    href = f"https://{workspace}.example/{random.randrange(10**6)}?a=b#c"
    token = ClickToken(
        derive_link_id(campaign, href),
        delivery=f"{random.getrandbits(128):032x}",
        person=random.choice([None, str(random.randrange(10**6)), "jo@example.com"]),
        position=random.randrange(40),
        sent=1_790_000_000 + random.randrange(10**6),
        href=href,
    )
    return Sealed(TokenSealer(keyring).seal(token), token)


def one_character(random: Random, one: Sealed, _: Sealed) -> str:
    at = random.randrange(len(one.text))
    return one.text[:at] + random.choice(ALPHABET) + one.text[at + 1 :]


def many_characters(random: Random, one: Sealed, _: Sealed) -> str:
    text = list(one.text)
    for at in random.sample(range(len(text)), random.randint(2, 12)):
        text[at] = random.choice(ALPHABET + "/=%. \n")
    return "".join(text)


def one_bit(random: Random, one: Sealed, _: Sealed) -> str:
    payload, signature = (bytearray(_bytes(part)) for part in one.text.split("/"))
    part = random.choice([payload, signature])
    part[random.randrange(len(part))] ^= 1 << random.randrange(8)
    return f"{_text(payload)}/{_text(signature)}"


def truncated(random: Random, one: Sealed, _: Sealed) -> str:
    return one.text[: random.randrange(len(one.text))]


def beheaded(random: Random, one: Sealed, _: Sealed) -> str:
    return one.text[random.randint(1, len(one.text)) :]


def left_out(random: Random, one: Sealed, _: Sealed) -> str:
    at = random.randrange(len(one.text))
    return one.text[:at] + one.text[at + random.randint(1, 4) :]


def put_in(random: Random, one: Sealed, _: Sealed) -> str:
    at = random.randrange(len(one.text) - 22)  # in the payload, before the signature
    piece = "".join(random.choice(ALPHABET) for _ in range(random.randint(1, 4)))
    return one.text[:at] + piece + one.text[at:]


def spliced(random: Random, one: Sealed, two: Sealed) -> str:
    at = random.randint(1, min(len(one.text), len(two.text)) - 1)
    return one.text[:at] + two.text[at:]


def with_anothers_signature(_: Random, one: Sealed, two: Sealed) -> str:
    return f"{one.text.split('/')[0]}/{two.text.split('/')[1]}"


def swapped(_: Random, one: Sealed, __: Sealed) -> str:
    return "/".join(reversed(one.text.split("/")))


def lower_cased(random: Random, one: Sealed, _: Sealed) -> str:
    return random.choice([one.text.lower(), one.text.upper(), one.text.swapcase()])


def re_encoded(random: Random, one: Sealed, _: Sealed) -> str:
    payload, signature = (_bytes(part) for part in one.text.split("/"))
    encoders = (base64.b32encode, base64.b16encode, base64.b85encode)
    encode: Callable[[bytes], bytes] = random.choice(encoders)
    return f"{encode(payload).decode()}/{encode(signature).decode()}"


def of_another_stack(random: Random, one: Sealed, _: Sealed) -> str:
    return sealed(random, THEIRS).text


def of_another_purpose(random: Random, one: Sealed, _: Sealed) -> str:
    purpose = random.choice(["waypost.open", SHARE_SALT, "", "waypost.clicks", "itsdangerous"])
    return TokenSigner(OURS, purpose).seal(_bytes(one.text.split("/")[0]))


def a_pixel(random: Random, one: Sealed, _: Sealed) -> str:
    token = one.token
    campaign = derive_campaign_id("acme", str(random.random()))
    return TokenSealer(OURS).open_sealer.seal(
        OpenToken(campaign, token.delivery, token.person, token.sent)
    )


def under_a_public_key(random: Random, one: Sealed, _: Sealed) -> str:
    """What an attacker may take for the key: the salt, the fingerprint, nothing at all."""
    secret = random.choice(
        [CLICK_TOKEN_SALT.encode(), OURS.fingerprints[-1].encode(), b"", b"\0" * 32]
    )
    payload = one.text.split("/")[0]
    return f"{payload}/{_text(hmac.digest(secret, payload.encode(), 'sha256')[:16])}"


def under_the_bare_key(_: Random, one: Sealed, __: Sealed) -> str:
    """Signed without deriving the key for its purpose; nobody outside could, nor shall it do."""
    payload = one.text.split("/")[0]
    return f"{payload}/{_text(hmac.digest(OURS.keys[-1], payload.encode(), 'sha256')[:16])}"


def longer_signature(_: Random, one: Sealed, __: Sealed) -> str:
    payload = one.text.split("/")[0]
    whole = hmac.digest(TokenSigner(OURS, CLICK_TOKEN_SALT).derive_key(), payload.encode(), sha256)
    return f"{payload}/{_text(whole[: SIGNATURE_BYTES + 1])}"[:-1]


def shorter_signature(random: Random, one: Sealed, _: Sealed) -> str:
    payload, signature = one.text.split("/")
    return f"{payload}/{_text(_bytes(signature)[: random.randrange(16)])}"


def across_workspaces(random: Random, one: Sealed, _: Sealed) -> str:
    """The link's code, which names the workspace, replaced in a token that was signed."""
    other = derive_link_id(derive_campaign_id("other", "campaign"), EVIL)
    payload, signature = one.text.split("/")
    changed = _bytes(payload).replace(bytes.fromhex(one.token.link), bytes.fromhex(other))
    return f"{_text(changed)}/{signature}"


def noise(random: Random, _: Sealed, __: Sealed) -> str:
    return f"{_text(random.randbytes(random.randrange(200)))}/{_text(random.randbytes(16))}"


FORGERIES: tuple[Forgery, ...] = (
    one_character,
    many_characters,
    one_bit,
    truncated,
    beheaded,
    left_out,
    put_in,
    spliced,
    with_anothers_signature,
    swapped,
    lower_cased,
    re_encoded,
    of_another_stack,
    of_another_purpose,
    a_pixel,
    under_a_public_key,
    under_the_bare_key,
    longer_signature,
    shorter_signature,
    across_workspaces,
    noise,
)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(data: bytes | bytearray) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
