"""What no log line may hold: keys, whole tokens, whole addresses, e-mail addresses of people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from local.stack import EmbeddedStack

ADDRESS = re.compile(r"(?<![\d.])(?!127\.|0\.)(?:\d{1,3}\.){3}(?!0(?!\d))\d{1,3}(?![\d.])")
"""An IPv4 address that is not truncated to its network; this machine's own tell nothing."""
TOKEN = re.compile(r"/e/[co]/[A-Za-z0-9_-]{20,}/[A-Za-z0-9_-]{22}|[A-Za-z0-9_-]{40,}/[\w-]{22}\b")
VERSION = re.compile(r"(?:Chrome|Version|Safari|Firefox|Edg|OPR|CriOS)/[\d.]+")
PERSON = re.compile(r"[\w.+-]+@(?:people|customers)\.example")
"""E-mail addresses that tests use as names of people; those of sending domains may be named."""


def spilled(text: str, keys: set[str]) -> Iterator[str]:
    """What a log tells that it must not."""
    for line in text.splitlines():
        plain = VERSION.sub("", line)
        for name, found in (
            ("address", ADDRESS.search(plain)),
            ("token", TOKEN.search(plain)),
            ("person", PERSON.search(plain)),
        ):
            if found:
                yield f"{name} {found[0]}: {line[:300]}"
        if any(key in line for key in keys):
            yield f"a key, in a line of {len(line)} characters"


def keys_of(stack: EmbeddedStack) -> set[str]:
    """Everything that is secret in a stack's keyring."""
    client = stack.cloud.client("secretsmanager")
    secret = json.loads(client.get_secret_value(SecretId=stack.ref("Keyring"))["SecretString"])
    return {secret["seed"]} if "seed" in secret else {key["secret"] for key in secret["keys"]}
