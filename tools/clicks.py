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

from tools import cli
from tools.cli import EXIT_DONE, EXIT_INCOMPLETE, parse_required, read_text
from tools.stack import (
    DeployedStack,
    EmbeddedStackClient,
    connect_repositories,
    find_stack,
    get_resource_name,
)
from waypost.composition import Repositories, build_tally_service
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.maintenance.recount import RecountResult, RecountService
from waypost.maintenance.replay import replay_clicks
from waypost.privacy.erasure import Erasure
from waypost.tally.event_publisher import ClickEventBus
from waypost.tally.service import TallyService


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 where something is left to be done."""
    options = _parse_options(arguments)
    options.stack = find_stack(options.env, options.base)
    repositories = connect_repositories(options.stack, "clicks", "campaigns", "workspaces")
    return int(options.run(repositories, options))


def replay_file(repositories: Repositories, options: argparse.Namespace) -> int:
    """Record and count the clicks of a file."""
    done = replay_clicks(
        read_text(options.file), repositories.clicks, _create_tally(repositories, options.stack)
    )
    print(f"{done.total} clicks found, {done.recorded} recorded and {done.counted} counted anew")
    if not done.total:
        print(f"{options.file} holds no clicks: is it the right file?", file=sys.stderr)
    if done.unreadable:
        print(f"{done.unreadable} look like clicks and cannot be read", file=sys.stderr)
    if done.failed:
        print(f"{done.failed} could not be brought home: run it again", file=sys.stderr)
    return EXIT_INCOMPLETE if done.failed else EXIT_DONE


def recount_campaign(repositories: Repositories, options: argparse.Namespace) -> int:
    """Compare a campaign's counters with its clicks."""
    recounting = RecountService(
        repositories.clicks,
        repositories.campaigns,
        repositories.recipients,
        repositories.workspaces,
    )
    campaign = derive_campaign_id(options.workspace, options.campaign)
    found = recounting.compare(campaign)
    if found.is_consistent and not found.clicks and repositories.campaigns.get(campaign) is None:
        raise SystemExit(f"workspace {options.workspace!r} has no campaign {options.campaign!r}")
    _print_recount(found)
    if options.repair and not found.is_consistent:
        found = recounting.repair(campaign, _create_tally(repositories, options.stack))
        print("after the repair:")
        _print_recount(found)
    return EXIT_DONE if found.is_consistent else EXIT_INCOMPLETE


def list_campaigns(repositories: Repositories, _: argparse.Namespace) -> int:
    """List campaigns that were sent before workspaces had lists of them."""
    print(f"{repositories.campaigns.backfill_list()} campaigns added to their workspaces' lists")
    return EXIT_DONE


def opt_out(repositories: Repositories, options: argparse.Namespace) -> int:
    """Count a person without identity from now on."""
    repositories.workspaces.opt_out(
        derive_workspace_id(options.workspace), options.person, datetime.now(UTC)
    )
    print("opted out: clicks are counted without identity from now on; erase removes earlier ones")
    return EXIT_DONE


def opt_in(repositories: Repositories, options: argparse.Namespace) -> int:
    """Take an opt-out back."""
    repositories.workspaces.opt_in(derive_workspace_id(options.workspace), options.person)
    print("opted in: what was counted meanwhile stays nobody's")
    return EXIT_DONE


def erase_person(repositories: Repositories, options: argparse.Namespace) -> int:
    """Remove a person from clicks, recipients and kept messages."""
    erasing = Erasure(
        repositories.clicks, repositories.recipients, repositories.workspaces, repositories.messages
    )
    now = datetime.now(UTC)
    done = erasing.erase(derive_workspace_id(options.workspace), options.person, now)
    print(f"{done.clicks} clicks in {done.campaigns} campaigns are nobody's now")
    if not done.is_complete:
        print("there was still something on the last look: run it again", file=sys.stderr)
    elif now < done.final_at:
        last = f"{done.final_at:%H:%M:%S} UTC"
        print(f"a click that was being counted may be found yet: run it again after {last}")
    return EXIT_DONE if done.is_complete else EXIT_INCOMPLETE


def _create_tally(
    repositories: Repositories, stack: DeployedStack | EmbeddedStackClient
) -> TallyService:
    bus = ClickEventBus(stack.client("events"), get_resource_name(stack, "EVENT_BUS", "EventBus"))
    return build_tally_service(repositories, bus)


def _print_recount(result: RecountResult) -> None:
    print(
        f"{result.clicks} clicks and opens in the ledger, "
        f"{result.expired} counted ones have expired"
    )
    if result.is_changing:
        print("the counters move: differences may be clicks of this moment", file=sys.stderr)
    if result.uncounted:
        print(f"{len(result.uncounted)} clicks are not counted")
    for cell, (counted, expected) in result.differences.items():
        print(f"{cell.counter} {cell.figure}: {counted} counted, {expected} expected")
    if result.is_consistent:
        print("every counter is right")


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = cli.build_parser("clicks", __doc__)
    commands = parser.add_subparsers(required=True)
    replaying = commands.add_parser("replay", help="bring clicks home from a file")
    replaying.add_argument("file", metavar="FILE", type=lambda text: Path(parse_required(text)))
    replaying.set_defaults(run=replay_file)
    recounting = commands.add_parser("recount", help="compare counters with the clicks")
    recounting.add_argument("workspace", metavar="WORKSPACE", type=parse_required)
    recounting.add_argument("campaign", metavar="CAMPAIGN", type=parse_required)
    recounting.add_argument("--repair", action="store_true", help="set the counters right")
    recounting.set_defaults(run=recount_campaign)
    listing = commands.add_parser("list-campaigns", help=list_campaigns.__doc__)
    listing.set_defaults(run=list_campaigns)
    for name, run in (("opt-out", opt_out), ("opt-in", opt_in), ("erase", erase_person)):
        person = commands.add_parser(name, help=run.__doc__)
        person.add_argument("workspace", metavar="WORKSPACE", type=parse_required)
        person.add_argument("person", metavar="PERSON", type=parse_required)
        person.set_defaults(run=run)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    cli.run_command(main)
