"""Rewrite one message for one recipient, and print the report of its links.

    make rewrite ENV=us WORKSPACE=acme FILE=newsletter.html    write newsletter.tracked.html
    make rewrite … CAMPAIGN=spring-sale PERSON=ada             default: the file's name, and p1
    make rewrite … CHANNEL=sms FILE=sale.txt                   default: email
    make rewrite … DATA=ada.json                               render its Liquid with this data
    make rewrite … DRY=yes                                     the report only; count nothing

FILE is HTML (.html, .htm), a complete MIME message (.eml) or text (any other name). DATA is a JSON
object; without it, the file's Liquid is not rendered. BASE=http://127.0.0.1:8080 uses an embedded
stack instead (make serve).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

from tools import cli
from tools.cli import EXIT_DONE, EXIT_FAILED, parse_required, read_text
from tools.management_api import ManagementApi
from waypost.rewrite.schemas import MAX_MIME_BYTES

_CONTENT_KEYS: Final = {".html": "html", ".htm": "html", ".eml": "mime"}


def main(arguments: list[str] | None = None) -> int:
    """Print the report, and write the message next to the file."""
    options = _parse_options(arguments)
    part = _CONTENT_KEYS.get(options.file.suffix.lower(), "text")
    message = _build_message(options, {part: _read_content(options.file)})
    answer = ManagementApi.from_options(options.env, options.base).request(
        "POST", "/v1/rewrite", message
    )
    print("\n".join(_format_report(answer)))
    if answer["failed"]:
        return EXIT_FAILED
    if not options.dry_run:
        written = options.file.with_suffix(f".tracked{options.file.suffix}")
        written.write_bytes(answer["deliveries"][0]["content"][part].encode())
        print(f"\nThe message for {options.person} is in {written}")
    return EXIT_DONE


def _read_content(file: Path) -> str:
    """Read a message.

    :raises SystemExit: when the file is too large or empty.
    """
    if (size := file.stat().st_size) > MAX_MIME_BYTES:
        raise SystemExit(f"{file}: {size:,} bytes; a message has at most {MAX_MIME_BYTES:,}")
    content = read_text(file)
    if not content.strip():
        raise SystemExit(f"{file}: empty file")
    return content


def _read_data(file: Path) -> object:
    """Read a JSON file.

    :raises SystemExit: when the file is not JSON.
    """
    try:
        return json.loads(read_text(file))
    except ValueError as error:
        raise SystemExit(f"{file}: not JSON: {error}") from error


def _build_message(options: argparse.Namespace, content: dict[str, str]) -> dict[str, object]:
    campaign = options.campaign or options.file.stem
    recipient = {"delivery": f"{campaign}/{options.person}", "person": options.person}
    data = {"data": _read_data(options.data)} if options.data else {}
    return {
        "workspace": options.workspace,
        "campaign": campaign,
        "channel": options.channel,
        "content": content,
        "track_text": "text" in content,
        "liquid": bool(data),
        "dry_run": options.dry_run,
        "recipients": [recipient | data],
    }


def _format_report(answer: dict[str, Any]) -> list[str]:
    """Format the report: each link's decision, warnings and failures."""
    tracked = sum(link["tracked"] for link in answer["links"])
    lines = [f"{tracked} of {len(answer['links'])} links tracked"]
    if not answer["links"] and not answer["failed"]:
        lines.append("No link was found; docs/channels.md lists the places of links in a channel")
    for link in answer["links"]:
        word, reason = ("tracked", "") if link["tracked"] else ("left", link["reason"])
        lines.append(f"  {link['position']:>3}  {word:8}{link['url'] or '(empty)'}")
        lines += [f"{'':15}{reason}"] if reason else []
    if segments := answer.get("segments"):
        lines += ["Segments ({encoding}): {before} before, {after} after".format(**segments)]
    lines += [f"Warning: {warning}" for warning in answer["warnings"]]
    lines += [f"Failed: {failed['field']}: {failed['reason']}" for failed in answer["failed"]]
    return lines


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = cli.build_parser("rewrite", __doc__)
    parser.add_argument("--workspace", type=parse_required, required=True)
    parser.add_argument("--file", type=lambda text: Path(parse_required(text)), required=True)
    parser.add_argument("--campaign", default="", help="the file's name by default")
    parser.add_argument("--person", default="p1", help="the recipient; p1 by default")
    parser.add_argument("--channel", default="email", help="email by default")
    parser.add_argument(
        "--data",
        type=lambda text: Path(text) if text else None,
        help="a file with the recipient's data; without it, Liquid is not rendered",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the report only")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    cli.run_command(main)
