"""Ways to forge a token from tokens that are signed."""

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

KEYRING = Keyring((b"o" * 32, b"n" * 32))
OTHER_KEYRING = Keyring((b"of another stack, thirty-two bytes",))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
EVIL = "https://evil.example/"


@dataclass(frozen=True)
class SealedToken:
    """A sealed token and its fields."""

    text: str
    token: ClickToken


Forgery: TypeAlias = Callable[[Random, SealedToken, SealedToken], str]


def seal_random_token(
    random: Random, keyring: Keyring = KEYRING, workspace: str = "acme"
) -> SealedToken:
    """Seal a token of a random campaign and person."""
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
    return SealedToken(TokenSealer(keyring).seal(token), token)


def replace_character(random: Random, one: SealedToken, _: SealedToken) -> str:
    at = random.randrange(len(one.text))
    return one.text[:at] + random.choice(ALPHABET) + one.text[at + 1 :]


def replace_characters(random: Random, one: SealedToken, _: SealedToken) -> str:
    text = list(one.text)
    for at in random.sample(range(len(text)), random.randint(2, 12)):
        text[at] = random.choice(ALPHABET + "/=%. \n")
    return "".join(text)


def flip_bit(random: Random, one: SealedToken, _: SealedToken) -> str:
    payload, signature = (bytearray(_bytes(part)) for part in one.text.split("/"))
    part = random.choice([payload, signature])
    part[random.randrange(len(part))] ^= 1 << random.randrange(8)
    return f"{_text(payload)}/{_text(signature)}"


def truncate(random: Random, one: SealedToken, _: SealedToken) -> str:
    return one.text[: random.randrange(len(one.text))]


def drop_beginning(random: Random, one: SealedToken, _: SealedToken) -> str:
    return one.text[random.randint(1, len(one.text)) :]


def drop_characters(random: Random, one: SealedToken, _: SealedToken) -> str:
    at = random.randrange(len(one.text))
    return one.text[:at] + one.text[at + random.randint(1, 4) :]


def insert_characters(random: Random, one: SealedToken, _: SealedToken) -> str:
    at = random.randrange(len(one.text) - 22)  # in the payload, before the signature
    piece = "".join(random.choice(ALPHABET) for _ in range(random.randint(1, 4)))
    return one.text[:at] + piece + one.text[at:]


def splice(random: Random, one: SealedToken, two: SealedToken) -> str:
    at = random.randint(1, min(len(one.text), len(two.text)) - 1)
    return one.text[:at] + two.text[at:]


def take_other_signature(_: Random, one: SealedToken, two: SealedToken) -> str:
    return f"{one.text.split('/')[0]}/{two.text.split('/')[1]}"


def swap_parts(_: Random, one: SealedToken, __: SealedToken) -> str:
    return "/".join(reversed(one.text.split("/")))


def change_case(random: Random, one: SealedToken, _: SealedToken) -> str:
    return random.choice([one.text.lower(), one.text.upper(), one.text.swapcase()])


def re_encode(random: Random, one: SealedToken, _: SealedToken) -> str:
    payload, signature = (_bytes(part) for part in one.text.split("/"))
    encoders = (base64.b32encode, base64.b16encode, base64.b85encode)
    encode: Callable[[bytes], bytes] = random.choice(encoders)
    return f"{encode(payload).decode()}/{encode(signature).decode()}"


def sign_with_other_stack(random: Random, one: SealedToken, _: SealedToken) -> str:
    return seal_random_token(random, OTHER_KEYRING).text


def sign_for_other_purpose(random: Random, one: SealedToken, _: SealedToken) -> str:
    purpose = random.choice(["waypost.open", SHARE_SALT, "", "waypost.clicks", "itsdangerous"])
    return TokenSigner(KEYRING, purpose).seal(_bytes(one.text.split("/")[0]))


def use_pixel_token(random: Random, one: SealedToken, _: SealedToken) -> str:
    token = one.token
    campaign = derive_campaign_id("acme", str(random.random()))
    return TokenSealer(KEYRING).open_sealer.seal(
        OpenToken(campaign, token.delivery, token.person, token.sent)
    )


def sign_with_public_value(random: Random, one: SealedToken, _: SealedToken) -> str:
    """Sign with a value that an attacker may take for the key: salt, fingerprint or nothing."""
    secret = random.choice(
        [CLICK_TOKEN_SALT.encode(), KEYRING.fingerprints[-1].encode(), b"", b"\0" * 32]
    )
    payload = one.text.split("/")[0]
    return f"{payload}/{_text(hmac.digest(secret, payload.encode(), 'sha256')[:16])}"


def sign_with_underived_key(_: Random, one: SealedToken, __: SealedToken) -> str:
    """Sign with the key itself instead of the key derived for the purpose."""
    payload = one.text.split("/")[0]
    return f"{payload}/{_text(hmac.digest(KEYRING.keys[-1], payload.encode(), 'sha256')[:16])}"


def lengthen_signature(_: Random, one: SealedToken, __: SealedToken) -> str:
    payload = one.text.split("/")[0]
    whole = hmac.digest(
        TokenSigner(KEYRING, CLICK_TOKEN_SALT).derive_key(), payload.encode(), sha256
    )
    return f"{payload}/{_text(whole[: SIGNATURE_BYTES + 1])}"[:-1]


def shorten_signature(random: Random, one: SealedToken, _: SealedToken) -> str:
    payload, signature = one.text.split("/")
    return f"{payload}/{_text(_bytes(signature)[: random.randrange(16)])}"


def replace_link_id(random: Random, one: SealedToken, _: SealedToken) -> str:
    """Replace the link id, which names the workspace, in a signed token."""
    other = derive_link_id(derive_campaign_id("other", "campaign"), EVIL)
    payload, signature = one.text.split("/")
    changed = _bytes(payload).replace(bytes.fromhex(one.token.link), bytes.fromhex(other))
    return f"{_text(changed)}/{signature}"


def generate_noise(random: Random, _: SealedToken, __: SealedToken) -> str:
    return f"{_text(random.randbytes(random.randrange(200)))}/{_text(random.randbytes(16))}"


FORGERIES: tuple[Forgery, ...] = (
    replace_character,
    replace_characters,
    flip_bit,
    truncate,
    drop_beginning,
    drop_characters,
    insert_characters,
    splice,
    take_other_signature,
    swap_parts,
    change_case,
    re_encode,
    sign_with_other_stack,
    sign_for_other_purpose,
    use_pixel_token,
    sign_with_public_value,
    sign_with_underived_key,
    lengthen_signature,
    shorten_signature,
    replace_link_id,
    generate_noise,
)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(data: bytes | bytearray) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
