"""Mends counting and lists, and forgets people.

    make replay ENV=us FILE=lost.ndjson                      brings clicks home: log lines, parked
                                                             messages, batches that failed
    make recount ENV=us WORKSPACE=acme CAMPAIGN=spring-sale  compares counters with the clicks
    make recount … REPAIR=yes                                and sets them right
    make list-campaigns ENV=us                               lists campaigns of earlier releases
    make opt-out ENV=us WORKSPACE=acme PERSON=p1             counts without identity from now on
    make opt-in ENV=us WORKSPACE=acme PERSON=p1              takes that back
    make erase ENV=us WORKSPACE=acme PERSON=p1               removes a person everywhere

BASE=http://127.0.0.1:8080 does it to an embedded stack (make serve) instead. All of it may be
repeated.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from tools import command
from tools.command import DONE, LEFT, given, text_of
from tools.desk import Desk
from tools.embedded import stack_of
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.maintenance.recount import RecountResult, RecountService
from waypost.maintenance.replay import replay_clicks
from waypost.privacy.erasure import Erasure


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 where something is left to be done."""
    options = _options(arguments)
    return int(options.run(Desk.of(stack_of(options.env, options.base)), options))


def bring_home(desk: Desk, options: argparse.Namespace) -> int:
    """Record and count the clicks of a file."""
    done = replay_clicks(text_of(options.file), desk.clicks, desk.tally)
    print(f"{done.total} clicks found, {done.recorded} recorded and {done.counted} counted anew")
    if not done.total:
        print(f"{options.file} holds no clicks: is it the right file?", file=sys.stderr)
    if done.unreadable:
        print(f"{done.unreadable} look like clicks and cannot be read", file=sys.stderr)
    if done.failed:
        print(f"{done.failed} could not be brought home: run it again", file=sys.stderr)
    return LEFT if done.failed else DONE


def recount(desk: Desk, options: argparse.Namespace) -> int:
    """Compare a campaign's counters with its clicks."""
    recounting = RecountService(desk.clicks, desk.campaigns, desk.recipients, desk.workspaces)
    campaign = derive_campaign_id(options.workspace, options.campaign)
    found = recounting.compare(campaign)
    if found.is_consistent and not found.clicks and desk.campaigns.get(campaign) is None:
        raise SystemExit(f"workspace {options.workspace!r} has no campaign {options.campaign!r}")
    _print(found)
    if options.repair and not found.is_consistent:
        found = recounting.repair(campaign, desk.tally)
        print("after the repair:")
        _print(found)
    return DONE if found.is_consistent else LEFT


def list_campaigns(desk: Desk, _: argparse.Namespace) -> int:
    """List campaigns that were sent before workspaces had lists of them."""
    print(f"{desk.campaigns.backfill_list()} campaigns added to their workspaces' lists")
    return DONE


def opt_out(desk: Desk, options: argparse.Namespace) -> int:
    """Count a person without identity from now on."""
    desk.workspaces.opt_out(
        derive_workspace_id(options.workspace), options.person, datetime.now(UTC)
    )
    print("opted out: clicks are counted without identity from now on; erase removes earlier ones")
    return DONE


def opt_in(desk: Desk, options: argparse.Namespace) -> int:
    """Take an opt-out back."""
    desk.workspaces.opt_in(derive_workspace_id(options.workspace), options.person)
    print("opted in: what was counted meanwhile stays nobody's")
    return DONE


def erase(desk: Desk, options: argparse.Namespace) -> int:
    """Remove a person from clicks, recipients and kept messages."""
    erasing = Erasure(desk.clicks, desk.recipients, desk.workspaces, desk.messages)
    now = datetime.now(UTC)
    done = erasing.erase(derive_workspace_id(options.workspace), options.person, now)
    print(f"{done.clicks} clicks in {done.campaigns} campaigns are nobody's now")
    if not done.is_complete:
        print("there was still something on the last look: run it again", file=sys.stderr)
    elif now < done.final_at:
        last = f"{done.final_at:%H:%M:%S} UTC"
        print(f"a click that was being counted may be found yet: run it again after {last}")
    return DONE if done.is_complete else LEFT


def _print(found: RecountResult) -> None:
    print(
        f"{found.clicks} clicks and opens in the ledger, {found.expired} counted ones have expired"
    )
    if found.is_changing:
        print("the counters move: differences may be clicks of this moment", file=sys.stderr)
    if found.uncounted:
        print(f"{len(found.uncounted)} clicks are not counted")
    for cell, (counted, expected) in found.differences.items():
        print(f"{cell.counter} {cell.figure}: {counted} counted, {expected} expected")
    if found.is_consistent:
        print("every counter is right")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = command.parser("clicks", __doc__)
    commands = parser.add_subparsers(required=True)
    replaying = commands.add_parser("replay", help="bring clicks home from a file")
    replaying.add_argument("file", metavar="FILE", type=lambda text: Path(given(text)))
    replaying.set_defaults(run=bring_home)
    recounting = commands.add_parser("recount", help="compare counters with the clicks")
    recounting.add_argument("workspace", metavar="WORKSPACE", type=given)
    recounting.add_argument("campaign", metavar="CAMPAIGN", type=given)
    recounting.add_argument("--repair", action="store_true", help="set the counters right")
    recounting.set_defaults(run=recount)
    listing = commands.add_parser("list-campaigns", help=list_campaigns.__doc__)
    listing.set_defaults(run=list_campaigns)
    for name, run in (("opt-out", opt_out), ("opt-in", opt_in), ("erase", erase)):
        person = commands.add_parser(name, help=run.__doc__)
        person.add_argument("workspace", metavar="WORKSPACE", type=given)
        person.add_argument("person", metavar="PERSON", type=given)
        person.set_defaults(run=run)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    command.run(main)
