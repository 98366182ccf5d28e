"""Show, add and retire the keys that sign links.

    make keys ENV=us                    show the fingerprints and the use of each key
    make rotate-keys ENV=us             add a key that signs when every function has it
    make rotate-keys ENV=us NOW=yes     add one that signs immediately, because a key has leaked
    make retire-key ENV=us KEY=9a1e77c2 show how many links it signed
    make retire-key … SURE=9a1e77c2     remove it; these links stop working

BASE=http://127.0.0.1:8080 uses an embedded stack (make serve) instead. Keys are never printed. The
tool compares the secret's version just before it writes: if two operators rotate at once, the
second gets an error, and no key is lost.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Callable
from typing import Any

from tools import cli
from tools.cli import EXIT_DONE, EXIT_FAILED, parse_required
from tools.stack import connect_repositories, find_stack
from waypost.errors import StoreUnavailable
from waypost.tokens.keyring import (
    KEY_PROPAGATION_SECONDS,
    KEYRING_TTL_SECONDS,
    MIN_RELOAD_INTERVAL_SECONDS,
    KeySchedule,
    SigningKey,
    format_utc,
)

KEY_BYTES = 32


def main(arguments: list[str] | None = None, clock: Callable[[], float] = time.time) -> int:
    """Run one command; return 2 if it fails. ``clock`` gives seconds since 1970."""
    options = _parse_options(arguments)
    options.now, options.stack = clock(), find_stack(options.env, options.base)
    client = options.stack.client("secretsmanager")
    secret_id = options.secret or options.stack.get_resource_id("Keyring")
    try:
        return int(options.run(client, secret_id, options))
    except (ValueError, StoreUnavailable) as e:
        print(f"{secret_id}: {e}", file=sys.stderr)
        return EXIT_FAILED


def print_keys(client: Any, secret_id: str, options: argparse.Namespace) -> int:  # noqa: ANN401
    """Print each key's fingerprint and use."""
    keys, now = _parse_keyring(_read_secret(client, secret_id)), options.now
    for key in keys.keys:
        print(f"{key.fingerprint}  {_describe_role(key, keys, now)}")
    return EXIT_DONE


def _describe_role(key: SigningKey, keys: KeySchedule, now: float) -> str:
    if key is keys.get_signing_key(now):
        return "signs"
    return (
        f"verifies; signs from {format_utc(key.signs_from)}" if key.signs_from > now else "verifies"
    )


def add_key(client: Any, secret_id: str, options: argparse.Namespace) -> int:  # noqa: ANN401
    """Add a key that signs when every function has it, or immediately with ``--now``."""
    signs_from = options.now + (0 if options.at_once else KEY_PROPAGATION_SECONDS)
    key = secrets.token_bytes(KEY_BYTES)
    _update_keyring(client, secret_id, lambda keys: keys.add_key(key, signs_from))
    if options.at_once:
        print(
            "Each function signs with the key when it reloads the keyring, by "
            f"{format_utc(options.now + KEYRING_TTL_SECONDS)}. Until then, a function that just "
            "received forged links may refuse links of this key for "
            f"{MIN_RELOAD_INTERVAL_SECONDS} s.",
            file=sys.stderr,
        )
    return print_keys(client, secret_id, options)


def retire_key(client: Any, secret_id: str, options: argparse.Namespace) -> int:  # noqa: ANN401
    """Remove a key if ``--sure`` repeats it; else only show how many links it signed."""
    if options.sure != options.key:
        keys = _parse_keyring(_read_secret(client, secret_id))
        keys.remove_key(options.key, options.now)
        print(
            f"The key {options.key} signed {_describe_signed_links(options)}. Without the key, "
            f"each of them opens a plain page.\n{_format_signing_warning(keys, options.now)}"
            f"To retire the key, add SURE={options.key}",
            file=sys.stderr,
        )
        return EXIT_FAILED
    _update_keyring(client, secret_id, lambda keys: keys.remove_key(options.key, options.now))
    return print_keys(client, secret_id, options)


def _format_signing_warning(keys: KeySchedule, now: float) -> str:
    """Format a warning if functions may still sign with the previous key."""
    signing = keys.get_signing_key(now)
    until = (signing.signs_from if signing else 0) + KEYRING_TTL_SECONDS
    if now >= until:
        return ""
    return (
        f"Functions may sign with an older key until {format_utc(until)}, and a running rewrite of"
        " a file signs with its first key to the end: these links would stop working.\n"
    )


def _describe_signed_links(options: argparse.Namespace) -> str:
    """Describe how many links a key signed; a link counts when its message is rewritten."""
    campaigns = connect_repositories(options.stack, "campaigns").campaigns
    by_campaign = campaigns.count_links_by_key(options.key)
    return f"{sum(by_campaign.values()):,} links in messages of {len(by_campaign):,} campaigns"


def _update_keyring(
    client: Any,  # noqa: ANN401
    secret_id: str,
    update: Callable[[KeySchedule], KeySchedule],
) -> None:
    before = _read_secret(client, secret_id)
    after = update(_parse_keyring(before))
    if _read_secret(client, secret_id)["VersionId"] != before["VersionId"]:
        raise ValueError("keyring: changed by another operator; run `make keys` and try again")
    client.put_secret_value(SecretId=secret_id, SecretString=after.to_json())


def _parse_keyring(answer: dict[str, str]) -> KeySchedule:
    return KeySchedule.parse(answer["SecretString"])


def _read_secret(client: Any, secret_id: str) -> dict[str, str]:  # noqa: ANN401
    answer: dict[str, str] = client.get_secret_value(SecretId=secret_id)
    return answer


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = cli.build_parser("keys", __doc__)
    parser.add_argument("--secret", help="the secret's id; the stack's own by default")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("show", help="print the fingerprints").set_defaults(run=print_keys)
    add = commands.add_parser("add", help="add a key that signs when every function has it")
    add.add_argument("--now", dest="at_once", action="store_true", help="sign immediately")
    add.set_defaults(run=add_key)
    retire = commands.add_parser("retire", help="remove a key; its links stop working")
    retire.add_argument("key", metavar="KEY", type=parse_required, help="its fingerprint")
    retire.add_argument("--sure", default="", help="the fingerprint again")
    retire.set_defaults(run=retire_key)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    cli.run_command(main)
