"""Show and change tracking domains over the management API, with the next step of each.

    make domains ENV=us                                     the stack's own host
    make domains ENV=us WORKSPACE=acme                      a workspace's domains
    make domain-add ENV=us WORKSPACE=acme HOST=links.acme.com [SENDING=acme.com]
    make domain-verify | domain-revert | domain-restore | domain-trust | domain-remove …

BASE=http://127.0.0.1:8080 uses an embedded stack instead; only requests to AWS are signed.
"""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from tools import cli
from tools.cli import EXIT_DONE
from tools.management_api import ManagementApi
from waypost.models.tracking_domain import STACK_WORKSPACE_NAME
from waypost.path_names import encode_path_name

_STATUS_SYMBOLS: Final = {"green": "●", "waiting": "◐", "red": "✗", "off": "○"}


def main(arguments: list[str] | None = None) -> int:
    """Run one command, and print the state after it."""
    options = _parse_options(arguments)
    api = ManagementApi.from_options(options.env, options.base)
    folder = f"workspaces/{encode_path_name(options.workspace)}/domains"
    if options.command == "list":
        domains = api.request("GET", f"/v1/{folder}")["domains"]
    else:
        domains = [_run_action(api, folder, options)]
    text = "\n".join(map(_format_domain, domains)) or "no tracking domain yet"
    print(json.dumps(domains, indent=2) if options.json else text)
    return EXIT_DONE


def _run_action(api: ManagementApi, folder: str, options: argparse.Namespace) -> dict[str, Any]:
    host = f"{folder}/{encode_path_name(options.host)}"
    sending = {"sending_domain": options.sending} if options.sending else {}
    requests: dict[str, tuple[str, str, object]] = {
        "add": ("POST", folder, {"host": options.host} | sending),
        "show": ("GET", host, None),
        "verify": ("POST", f"{host}/verify", None),
        "revert": ("POST", host, {"reverted": True}),
        "restore": ("POST", host, {"reverted": False}),
        "trust": ("POST", f"operator/{host}", {"sending_verified": True} | sending),
        "remove": ("DELETE", host, None),
    }
    method, path, body = requests[options.command]
    query = {"host": options.host} if method == "DELETE" else None
    domain: dict[str, Any] = api.request(method, f"/v1/{path}", body, query)
    return domain


def _format_domain(domain: dict[str, Any]) -> str:
    """Format a domain: its status lights, the DNS records to create and the next step."""
    if "lights" not in domain:
        return f"{domain['host']}: {domain['next_step']}"
    used = f"use {domain['base_url']}" if domain["base_url"] else "do not use it"
    lines = [f"{domain['host']}  {domain['stage']}, {domain['use']}; new messages {used}"]
    for name, light in domain["lights"].items():
        lines.append(f"  {_STATUS_SYMBOLS[light['colour']]} {name:8}{light['found']}")
    if domain["lights"]["dns"]["colour"] != "green":
        records = (
            f"  {r['name']} {r['type']} {r['value']}  ({r['when']})" for r in domain["records"]
        )
        lines += ["  records:", *records]
    if domain["next_step"]:
        lines.append(f"  → {domain['next_step']}")
    return "\n".join(lines)


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = cli.build_parser("domains", __doc__)
    commands = ("list", "add", "show", "verify", "revert", "restore", "trust", "remove")
    parser.add_argument("command", choices=commands)
    parser.add_argument(
        "--workspace", default=STACK_WORKSPACE_NAME, help="the stack's own by default"
    )
    parser.add_argument("--host", default="", help="the tracking domain")
    parser.add_argument("--sending", default="", help="its sending domain; the parent by default")
    parser.add_argument("--json", action="store_true", help="print the API's response")
    options = parser.parse_args(arguments)
    options.workspace = options.workspace or STACK_WORKSPACE_NAME
    if options.command != "list" and not options.host:
        parser.error("HOST is missing")
    return options


if __name__ == "__main__":
    cli.run_command(main)
