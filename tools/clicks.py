"""Replay and recount clicks, complete data of earlier releases, and process privacy requests.

    make replay ENV=us FILE=lost.ndjson                      record and count clicks of log lines,
                                                             queue messages or failed batches
    make recount ENV=us WORKSPACE=acme CAMPAIGN=spring-sale  compare counters with the clicks
    make recount … REPAIR=yes                                and correct them
    make list-campaigns ENV=us                               list campaigns of earlier releases
    make claim-names ENV=us                                  claim workspaces of earlier releases
    make opt-out ENV=us WORKSPACE=acme PERSON=p1             count without identity from now on
    make opt-in ENV=us WORKSPACE=acme PERSON=p1              undo an opt-out
    make erase ENV=us WORKSPACE=acme PERSON=p1               erase a person everywhere

BASE=http://127.0.0.1:8080 uses an embedded stack (make serve) instead. Every command can be
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
from waypost.composition import Repositories, build_late_click_recorder, build_tally_service
from waypost.ids import derive_campaign_id
from waypost.maintenance.name_claims import NameClaimService
from waypost.maintenance.recount import RecountResult, RecountService
from waypost.maintenance.replay import replay_clicks
from waypost.privacy.erasure import Erasure
from waypost.tally.event_publisher import ClickEventBus
from waypost.tally.service import TallyService


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 1 if it is incomplete."""
    options = _parse_options(arguments)
    options.stack = find_stack(options.env, options.base)
    repositories = connect_repositories(
        options.stack, "clicks", "campaigns", "workspaces", "short_links"
    )
    return int(options.run(repositories, options))


def replay_file(repositories: Repositories, options: argparse.Namespace) -> int:
    """Record and count the clicks of a file."""
    tally = _create_tally(repositories, options.stack)
    recorder = build_late_click_recorder(repositories)
    result = replay_clicks(read_text(options.file), recorder, tally)
    print(
        f"{result.total} clicks found, {result.recorded} newly recorded, "
        f"{result.counted} newly counted"
    )
    if not result.total:
        print(f"{options.file}: no clicks; check the name of the file", file=sys.stderr)
    if result.unreadable:
        print(f"{result.unreadable} clicks are corrupt and were skipped", file=sys.stderr)
    if result.failed:
        print(f"{result.failed} clicks failed; run it again", file=sys.stderr)
    return EXIT_INCOMPLETE if result.failed else EXIT_DONE


def recount_campaign(repositories: Repositories, options: argparse.Namespace) -> int:
    """Compare a campaign's counters with its clicks."""
    service = RecountService(
        repositories.clicks,
        repositories.campaigns,
        repositories.recipients,
        repositories.workspaces,
    )
    repositories.workspaces.resolve_id(options.workspace)
    campaign = derive_campaign_id(options.workspace, options.campaign)
    result = service.compare(campaign)
    if result.is_consistent and not result.clicks and repositories.campaigns.get(campaign) is None:
        raise SystemExit(f"workspace {options.workspace!r} has no campaign {options.campaign!r}")
    _print_recount(result)
    if options.repair and not result.is_consistent:
        result = service.repair(campaign, _create_tally(repositories, options.stack))
        print("after the repair:")
        _print_recount(result)
    return EXIT_DONE if result.is_consistent else EXIT_INCOMPLETE


def list_campaigns(repositories: Repositories, _: argparse.Namespace) -> int:
    """Add campaigns of earlier releases to their workspaces' lists."""
    print(f"{repositories.campaigns.backfill_list()} campaigns added to their workspaces' lists")
    return EXIT_DONE


def claim_names(repositories: Repositories, _: argparse.Namespace) -> int:
    """Claim the names of workspaces that earlier releases wrote."""
    service = NameClaimService(
        repositories.campaigns, repositories.domains, repositories.workspaces
    )
    result = service.claim_names()
    print(f"{len(result.claimed)} names of workspaces are claimed")
    for name in result.refused:
        print(f"workspace {name!r}: its id belongs to another name", file=sys.stderr)
    return EXIT_INCOMPLETE if result.refused else EXIT_DONE


def opt_out(repositories: Repositories, options: argparse.Namespace) -> int:
    """Count a person without identity from now on."""
    workspaces = repositories.workspaces
    workspaces.opt_out(workspaces.claim_id(options.workspace), options.person, datetime.now(UTC))
    print("opted out: clicks are counted without identity from now on; erase removes earlier ones")
    return EXIT_DONE


def opt_in(repositories: Repositories, options: argparse.Namespace) -> int:
    """Undo a person's opt-out."""
    workspaces = repositories.workspaces
    workspaces.opt_in(workspaces.claim_id(options.workspace), options.person, datetime.now(UTC))
    print("opted in: clicks counted during the opt-out stay anonymous")
    return EXIT_DONE


def erase_person(repositories: Repositories, options: argparse.Namespace) -> int:
    """Erase a person from all tables."""
    now = datetime.now(UTC)
    workspace_id = repositories.workspaces.claim_id(options.workspace)
    progress = Erasure(repositories, scans_tables=True).erase(workspace_id, options.person, now)
    print(
        f"{progress.clicks} clicks in {progress.campaigns} campaigns are anonymous now, "
        f"{progress.links} links are erased"
    )
    if not progress.is_complete:
        print("the last search still found something; run it again", file=sys.stderr)
    elif now < progress.final_at:
        last = f"{progress.final_at:%H:%M:%S} UTC"
        print(f"functions that run now may still store something; run it again after {last}")
    return EXIT_DONE if progress.is_complete else EXIT_INCOMPLETE


def _create_tally(
    repositories: Repositories, stack: DeployedStack | EmbeddedStackClient
) -> TallyService:
    bus = ClickEventBus(stack.client("events"), get_resource_name(stack, "EVENT_BUS", "EventBus"))
    return build_tally_service(repositories, bus)


def _print_recount(result: RecountResult) -> None:
    print(f"{result.clicks} clicks and opens in the ledger, {result.expired} counted ones expired")
    if result.is_changing:
        print("the counters change: differences may be recent clicks", file=sys.stderr)
    if result.uncounted:
        print(f"{len(result.uncounted)} clicks are not counted")
    for cell, (counted, expected) in result.differences.items():
        print(f"{cell.counter} {cell.figure}: {counted} counted, {expected} expected")
    if result.is_consistent:
        print("every counter is correct")


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = cli.build_parser("clicks", __doc__)
    commands = parser.add_subparsers(required=True)
    replay = commands.add_parser("replay", help=replay_file.__doc__)
    replay.add_argument("file", metavar="FILE", type=lambda text: Path(parse_required(text)))
    replay.set_defaults(run=replay_file)
    recount = commands.add_parser("recount", help=recount_campaign.__doc__)
    recount.add_argument("workspace", metavar="WORKSPACE", type=parse_required)
    recount.add_argument("campaign", metavar="CAMPAIGN", type=parse_required)
    recount.add_argument("--repair", action="store_true", help="correct the counters")
    recount.set_defaults(run=recount_campaign)
    campaigns = commands.add_parser("list-campaigns", help=list_campaigns.__doc__)
    campaigns.set_defaults(run=list_campaigns)
    names = commands.add_parser("claim-names", help=claim_names.__doc__)
    names.set_defaults(run=claim_names)
    for name, run in (("opt-out", opt_out), ("opt-in", opt_in), ("erase", erase_person)):
        request = commands.add_parser(name, help=run.__doc__)
        request.add_argument("workspace", metavar="WORKSPACE", type=parse_required)
        request.add_argument("person", metavar="PERSON", type=parse_required)
        request.set_defaults(run=run)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    cli.run_command(main)
