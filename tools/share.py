"""Makes a share link to report pages and prints it.

    make share ENV=us WORKSPACE=acme CAMPAIGN=spring-sale HOURS=48
    make share ENV=us WORKSPACE=acme                          the whole workspace, for three days
    make share … PEOPLE=yes                                   names people, too

BASE=http://127.0.0.1:8080 asks an embedded stack instead. Who holds the link may look until it
expires; rotating the keys (make rotate-keys) revokes every link before.
"""

from __future__ import annotations

import argparse
import sys
from urllib.parse import quote

from tools import cli
from tools.cli import EXIT_DONE, parse_number, parse_required
from tools.management_api import ManagementApi


def main(arguments: list[str] | None = None) -> int:
    """Print the link on a line of its own, and below it until when it works."""
    options = _parse_options(arguments)
    path = f"/v1/workspaces/{quote(options.workspace, safe='')}/shares"
    body: dict[str, object] = {"hours": options.hours, "people": options.people}
    if options.campaign:
        body["campaign"] = options.campaign
    share = ManagementApi.from_options(options.env, options.base).request("POST", path, body)
    print(share["url"])
    print(f"works until {share['expires']}", file=sys.stderr)
    return EXIT_DONE


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = cli.build_parser("share", __doc__)
    parser.add_argument("--workspace", metavar="WORKSPACE", type=parse_required, required=True)
    parser.add_argument("--campaign", default="", help="the whole workspace unless given")
    parser.add_argument(
        "--hours", type=parse_number, default=72, help="how long it works; 72 by default"
    )
    parser.add_argument(
        "--people", type=lambda text: text == "yes", default=False, help="yes: names people, too"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    cli.run_command(main)
