"""Patterns of secrets: keys, whole tokens, full IP addresses, e-mail addresses, credentials."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from ipaddress import IPv6Address, ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from local.stack import EmbeddedStack

IPV4: Final = re.compile(r"(?<![\d.])(?!127\.|0\.)(?:\d{1,3}\.){3}(?!0(?!\d))\d{1,3}(?![\d.])")
"""An IPv4 address that is not truncated to its network, except loopback."""
IPV6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{2,38}(?![\w:.])")
"""A candidate for an IPv6 address; ``find_full_address`` decides."""
VERSION: Final = re.compile(r"(?:Chrome|Version|Safari|Firefox|Edg|OPR|CriOS)/[\d.]+")
TOKEN: Final = re.compile(
    r"/e/[co]/[A-Za-z0-9_-]{20,}/[A-Za-z0-9_-]{22}|[A-Za-z0-9_-]{40,}/[\w-]{22}\b"
)
SHORT: Final = re.compile(r"/s/(?:[0-9A-Za-z]{12}|[0-9a-z]{19})\b")
SHARE: Final = re.compile(r"(?<![\w.-])\.?[\w-]{12,}\.[\w-]{6}\.[\w-]{43}(?![\w-])")
"""A share token of itsdangerous: payload, time, and a signature of 256 bits."""
EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")
CREDENTIAL: Final = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bCredential=\S+/aws4_request|\bSignature=[0-9a-f]{64}\b"
    r"|(?i:x-amz-(?:security-token|signature)=\S|aws_(?:secret_access_key|session_token)\W+\w)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
UNRECORDED_CLICK: Final = '"unrecorded_click"'
"""The only line that may contain a person: a click that was neither stored nor queued."""


def find_leaks(text: str, keys: Collection[str] = ()) -> Iterator[str]:
    """Find the secrets in a text. ``keys`` are given in all encodings, see ``list_encodings``."""
    for line in text.splitlines():
        for name, find in _KINDS.items():
            found = find(line)
            if found and not (name == "person" and UNRECORDED_CLICK in line):
                yield f"{name} {found}: {line[:300]}"
        if any(key in line for key in keys):
            yield f"a key, in a line of {len(line)} characters"


def find_full_address(line: str) -> str | None:
    """Find an IP address that is not truncated to its network (/24, /48)."""
    plain = VERSION.sub("", line)
    for found in IPV4.finditer(plain):
        return found[0]
    for found in IPV6.finditer(plain):
        with suppress(ValueError):
            address = IPv6Address(found[0])
            network = ip_network((address, 48), strict=False)
            if not address.is_loopback and address != network.network_address:
                return found[0]
    return None


def list_encodings(key: str | bytes) -> frozenset[str]:
    """List the encodings of a key: itself, hex, and base64 of both alphabets.

    Within a longer base64 text the first and last characters depend on the neighbours, so they
    are cut off.
    """
    raw = key.encode() if isinstance(key, str) else key
    found = {raw.hex(), raw.decode("latin-1")}
    for shift in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            text = encode(b"\0" * shift + raw).decode().rstrip("=")
            found.add(text[shift + 1 if shift else 0 : -1])
    if isinstance(key, str):
        with suppress(NotBase64, ValueError):
            decoded = urlsafe_b64decode(key + "=" * (-len(key) % 4))
            found |= {decoded.hex(), b64encode(decoded).decode().rstrip("=")}
    return frozenset(found)


def list_stack_keys(stack: EmbeddedStack) -> set[str]:
    """List the secrets of a stack in all encodings: keyring, origin secrets, role credentials."""
    client = stack.cloud.client("secretsmanager")
    secret = json.loads(client.get_secret_value(SecretId=stack.ref("Keyring"))["SecretString"])
    keys = [secret["seed"]] if "seed" in secret else [key["secret"] for key in secret["keys"]]
    keys += [
        client.get_secret_value(SecretId=stack.ref(name))["SecretString"]
        for name in ("OriginSecretA", "OriginSecretB")
    ]
    for access in stack.cloud._role_credentials.values():
        keys += [access["AWS_SECRET_ACCESS_KEY"], access["AWS_SESSION_TOKEN"]]
    return {encoding for key in keys for encoding in list_encodings(key)}


def _build_finder(expression: re.Pattern[str]) -> Callable[[str], str | None]:
    def find(line: str) -> str | None:
        found = expression.search(line)
        return found[0] if found else None

    return find


_KINDS: Final[dict[str, Callable[[str], str | None]]] = {
    "address": find_full_address,
    "token": _build_finder(TOKEN),
    "short link": _build_finder(SHORT),
    "share": _build_finder(SHARE),
    "person": _build_finder(EMAIL),
    "credential": _build_finder(CREDENTIAL),
}
