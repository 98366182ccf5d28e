"""Shows, adds and retires the keys that links are signed with.

    make keys ENV=us                    fingerprints, the one that signs last
    make rotate-keys ENV=us             adds a key; functions sign with it within five minutes
    make retire-key ENV=us KEY=9a1e77c2 says how many links it signed
    make retire-key … SURE=9a1e77c2     takes it away, and with it every one of them

CAMPAIGNS_TABLE goes before the stack's own table, which is how a stack on this machine is reached.
No key is ever printed. The secret's version is looked at again just before writing, so that of two
people who rotate at once the second is told to look again, instead of losing a key.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Callable
from typing import Any

from tools.stack import Stack
from waypost.errors import StoreUnavailable
from waypost.keys import parse_keyring, retired, rotated
from waypost.store.dynamodb.campaigns import DynamoCampaigns

KEY_BYTES = 32


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 2 where it cannot be done, saying why."""
    options = _options(arguments)
    client = Stack.of(options.env).client("secretsmanager")
    secret_id = options.secret or Stack.of(options.env).resource("Keyring")
    try:
        return int(options.run(client, secret_id, options))
    except (ValueError, StoreUnavailable) as e:
        print(f"{secret_id}: {e}", file=sys.stderr)
        return 2


def show(client: Any, secret_id: str, _: argparse.Namespace) -> int:  # noqa: ANN401
    """Print the fingerprints."""
    *old, signing = parse_keyring(_read(client, secret_id)["SecretString"]).fingerprints
    for fingerprint in old:
        print(f"{fingerprint}  verifies")
    print(f"{signing}  signs")
    return 0


def add(client: Any, secret_id: str, _: argparse.Namespace) -> int:  # noqa: ANN401
    """Add a key that signs from now on."""
    _change(client, secret_id, lambda text: rotated(text, secrets.token_bytes(KEY_BYTES)))
    return show(client, secret_id, argparse.Namespace())


def retire(client: Any, secret_id: str, options: argparse.Namespace) -> int:  # noqa: ANN401
    """Take a key away, after being told to by name; before, only say what it would cost."""
    if options.sure != options.key:
        retired(_read(client, secret_id)["SecretString"], options.key)
        print(
            f"The key {options.key} signed {_links(options)}. Each would lead to a plain page from"
            f" then on.\nRepeat it to do so: SURE={options.key}",
            file=sys.stderr,
        )
        return 2
    _change(client, secret_id, lambda text: retired(text, options.key))
    return show(client, secret_id, options)


def _links(options: argparse.Namespace) -> str:
    """What a key signed, counted when the messages were handed over."""
    stack = Stack.of(options.env)
    table = os.environ.get("CAMPAIGNS_TABLE") or stack.resource("CampaignsTable")
    by_campaign = DynamoCampaigns(stack.client("dynamodb"), table).signed(options.key)
    links, campaigns = sum(by_campaign.values()), len(by_campaign)
    return f"{links:,} links in messages of {campaigns:,} campaigns"


def _change(client: Any, secret_id: str, change: Callable[[str], str]) -> None:  # noqa: ANN401
    before = _read(client, secret_id)
    after = change(before["SecretString"])
    if _read(client, secret_id)["VersionId"] != before["VersionId"]:
        raise ValueError("somebody else changed the keyring meanwhile; look at it again")
    client.put_secret_value(SecretId=secret_id, SecretString=after)


def _read(client: Any, secret_id: str) -> dict[str, str]:  # noqa: ANN401
    answer: dict[str, str] = client.get_secret_value(SecretId=secret_id)
    return answer


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.keys", description=__doc__)
    parser.add_argument("--env", default="dev", help="an environment of samconfig.toml")
    parser.add_argument("--secret", help="the secret's id, where it is not the stack's own")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("show", help="print the fingerprints").set_defaults(run=show)
    commands.add_parser("add", help="add a key, which signs from then on").set_defaults(run=add)
    retiring = commands.add_parser("retire", help="take a key away, with every link it signed")
    retiring.add_argument("key", help="its fingerprint")
    retiring.add_argument("--sure", default="", help="the fingerprint once more")
    retiring.set_defaults(run=retire)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
