"""Create a share link to report pages, and print it.

    make share ENV=us WORKSPACE=acme CAMPAIGN=spring-sale HOURS=48
    make share ENV=us WORKSPACE=acme                          the whole workspace, for 72 hours
    make share … PEOPLE=yes                                   shows people, too

BASE=http://127.0.0.1:8080 uses an embedded stack instead. Anyone with the link can see the pages
until it expires. To rotate the keys (make rotate-keys) revokes all earlier links.
"""

from __future__ import annotations

import argparse
import sys

from tools import cli
from tools.cli import EXIT_DONE, parse_number, parse_required
from tools.management_api import ManagementApi
from waypost.path_names import encode_path_name


def main(arguments: list[str] | None = None) -> int:
    """Print the link to stdout, and the time of its end to stderr."""
    options = _parse_options(arguments)
    path = f"/v1/workspaces/{encode_path_name(options.workspace)}/shares"
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
    parser.add_argument("--campaign", default="", help="the whole workspace by default")
    parser.add_argument(
        "--hours", type=parse_number, default=72, help="hours until it expires; 72 by default"
    )
    parser.add_argument(
        "--people", type=lambda text: text == "yes", default=False, help="yes: shows people, too"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    cli.run_command(main)
