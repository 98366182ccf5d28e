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

from tools.management import Api


def main(arguments: list[str] | None = None) -> int:
    """Print the link on a line of its own, and below it until when it works."""
    options = _options(arguments)
    path = f"/v1/workspaces/{quote(options.workspace, safe='')}/shares"
    body: dict[str, object] = {"hours": options.hours, "people": options.people}
    if options.campaign:
        body["campaign"] = options.campaign
    share = Api.of(options.env, options.base).ask("POST", path, body)
    print(share["url"])
    print(f"works until {share['expires']}", file=sys.stderr)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make a share link to report pages.")
    parser.add_argument("--env", required=True, help="an environment of samconfig.toml")
    parser.add_argument("--base", default="", help="where an embedded stack listens")
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--campaign", default="", help="empty: the whole workspace")
    parser.add_argument("--hours", type=int, default=72)
    parser.add_argument("--people", type=lambda text: text in ("yes", "1", "true"), default=False)
    options = parser.parse_args(arguments)
    if not options.workspace:
        parser.error("name the WORKSPACE")
    return options


if __name__ == "__main__":
    sys.exit(main())
