"""Count the project files that one use of each function executes.

    python -m bench.executed_files          the table of docs/benchmarks.md
    python -m bench.executed_files --list   the names of the files

A reader who follows one use has to open these files. Handlers and services are the deployed ones,
over repositories in memory and a fake network. A file counts if one of its functions runs. To
import a file does not count, so each use runs once before it is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final
from unittest.mock import patch

import dns.exception

from tests.click_factory import NOON, make_link_id
from tests.fakes import create_in_memory_repositories
from tests.faults.fake_internet import CDN_HOST, DEFAULT_HOST, KEYRING, FakeInternet
from tests.lambda_handlers import LambdaContext, build_api_event, load_function
from tests.rewrite_harness import FakeBaseUrls
from tests.workspace_harness import FixedKeyring
from waypost.composition import (
    ApiServices,
    Repositories,
    build_redirect_service,
    build_rewrite_service,
    build_tally_service,
)
from waypost.config import RedirectConfig
from waypost.domains.certificates import CdnTenant
from waypost.domains.checker import DomainChecker
from waypost.domains.dns import DnsResolver
from waypost.domains.events import DomainEventPublisher
from waypost.domains.http_probe import HttpProber
from waypost.domains.sender_identity import SenderIdentities
from waypost.domains.verification import DomainVerificationService
from waypost.ids import derive_workspace_id
from waypost.models.campaign import LinkDefinition
from waypost.models.tracking_domain import CnameTargets, create_domain
from waypost.observability import create_logger
from waypost.tokens import ClickToken
from waypost.tokens.keyring import KeyringSource

ROOT: Final = Path(__file__).parents[1]
SOURCE_FOLDERS: Final = (f"{ROOT}/layers/waypost/", f"{ROOT}/functions/")
ENVIRONMENT: Final = {
    "CLICKS_TABLE": "clicks",
    "WORKSPACES_TABLE": "workspaces",
    "SHORT_LINKS_TABLE": "short-links",
    "KEYRING_SECRET": "keyring",
    "PARK_QUEUE_URL": "https://queue",
    "RETENTION_DAYS": "400",
}
DOMAIN: Final = "links.acme.com"
DNS_SERVER: Final = "192.0.2.53"  # of RFC 5737's addresses for documentation: no query leaves
HTML: Final = '<p>Hello</p><a href="https://shop.example.com/sale?ref=1">Sale</a>'
LIQUID: Final = '<p>Hello {{ customer.name }}</p><a href="https://e.com/{{ trigger.id }}">x</a>'

Use = Callable[[], object]


class FakeSecrets:
    """A secret store with one keyring."""

    def get_secret_value(self, *, SecretId: str) -> dict[str, object]:  # noqa: N803
        return {"SecretString": json.dumps({"seed": f"{SecretId} of thirty-two characters"})}


class NoFaults:
    """A network without faults."""

    def next_fault(self, _: str) -> None:
        return None


class FakeCdnTenants:
    """A CDN that serves every host with its certificate."""

    def get_tenant(self, _: str) -> CdnTenant:
        return CdnTenant("issued", is_attached=True, is_enabled=True)


class VerifiedIdentities(SenderIdentities):
    """Sending domains that are all verified."""

    def __init__(self) -> None:
        pass

    def get_verification(self, _: str) -> bool:
        return True


def prepare_click() -> Use:
    """Prepare a click on a link of an HTML message."""
    keyring_source, repositories = KeyringSource(FakeSecrets(), "keyring"), _repositories()
    sent = int(NOON.timestamp()) - 3600
    token = ClickToken(make_link_id("home"), "d1", "p1", 1, sent, "https://example.com/")
    payload, _, signature = keyring_source.get_sealer().seal(token).partition("/")
    event = _read_event("RedirectFunction.Click")
    event["rawPath"] = f"/e/c/{payload}/{signature}"
    event["pathParameters"] = {"payload": payload, "signature": signature}
    service = build_redirect_service(
        RedirectConfig.from_env(), repositories, keyring_source, create_logger("bench")
    )
    handler = _load_handler("redirect", _redirect_service=lambda: service)
    return lambda: _check_status(handler(event, None), 302)


def prepare_tally() -> Use:
    """Prepare a stream batch of clicks."""
    tally = build_tally_service(_repositories(), None)
    handler = _load_handler("tally", _tally_service=lambda: tally)
    event = _read_event("TallyFunction.Clicks")
    return lambda: handler(event, None)


def prepare_html_message() -> Use:
    """Prepare an HTML message with one link, for one recipient."""
    return _prepare_message({"html": HTML}, liquid=False)


def prepare_liquid_message() -> Use:
    """Prepare a Liquid template with one link, for one recipient."""
    return _prepare_message({"html": LIQUID}, liquid=True)


def _prepare_message(content: dict[str, str], *, liquid: bool) -> Use:
    sealer = KeyringSource(FakeSecrets(), "keyring").get_sealer()
    repositories, base_urls = _repositories(), FakeBaseUrls()
    service = build_rewrite_service(repositories, base_urls, lambda: sealer, 400, lambda: NOON)
    handler = _load_handler("rewrite", rewrite_service=lambda: service)
    data = {"customer": {"name": "Ada"}, "trigger": {"id": "7"}}
    message = {
        "workspace": "acme",
        "campaign": "spring-sale",
        "kind": "newsletter",
        "channel": "email",
        "from": "news@mail.acme.com",
        "content": content,
        "liquid": liquid,
        "recipients": [{"delivery": "d1", "person": "p1", "data": data}],
    }
    return lambda: handler(message, LambdaContext())["deliveries"][0]["content"]


def prepare_domain_check() -> Use:
    """Prepare the check of one domain that has a CNAME record and a certificate."""
    repositories = _repositories()
    internet: Any = FakeInternet(NoFaults())  # type: ignore[arg-type]
    internet.hosts_with_certificate = {DOMAIN}
    workspace = derive_workspace_id("acme")
    repositories.domains.add(create_domain(workspace, "acme", DOMAIN, "acme.com", "f00d", NOON))
    resolver = DnsResolver([DNS_SERVER])
    tenants: Any = FakeCdnTenants()
    keyring_source: Any = FixedKeyring(KEYRING)
    service = DomainVerificationService(
        domains=repositories.domains,
        workspaces=repositories.workspaces,
        checker=DomainChecker(
            resolver, HttpProber(resolver, internet, connect=internet.connect), keyring_source
        ),
        cdn_tenants=tenants,
        sender_identities=VerifiedIdentities(),
        event_publisher=DomainEventPublisher(),
        targets=CnameTargets(CDN_HOST, DEFAULT_HOST),
        now=lambda: NOON,
    )
    handler = _load_handler("verify_domains", get_verification_service=lambda _: service)
    event = {"workspace": "acme", "host": DOMAIN}

    def check() -> None:
        with (
            patch("dns.query.udp_with_fallback", internet.query_dns),
            patch("dns.resolver.zone_for_name", side_effect=dns.exception.DNSException),
        ):
            status = handler(event, LambdaContext())
        assert status["stage"] == "https", status

    return check


def prepare_report() -> Use:
    """Prepare the JSON report of a campaign with one link."""
    repositories = _repositories()
    campaign = repositories.campaigns.get_or_create(
        "acme", "spring-sale", kind="newsletter", channel="email", now=NOON
    )
    link = LinkDefinition("url:https://example.com/", "https://example.com/", None, 1)
    repositories.campaigns.define_links(campaign, [link], NOON)
    repositories.campaigns.add_deliveries(campaign, 1, None)
    services = ApiServices(NOON.timestamp)
    services.repositories = repositories
    handler = _load_handler("api", services=services)
    event = build_api_event(
        "GET /v1/workspaces/{workspace}/campaigns/{campaign}",
        {"workspace": "acme", "campaign": "spring-sale"},
    )
    return lambda: _check_status(handler(event, LambdaContext()), 200)


USES: Final[dict[str, Callable[[], Use]]] = {
    "a click": prepare_click,
    "a batch of the tally": prepare_tally,
    "a message with one HTML link": prepare_html_message,
    "a Liquid message with one link": prepare_liquid_message,
    "a check of a tracking domain": prepare_domain_check,
    "a campaign's report as JSON": prepare_report,
}


def _load_handler(folder: str, **replacements: object) -> Callable[[Any, object], Any]:
    """Load a function's handler with some of the module's names replaced."""
    names = vars(load_function(folder))
    names.update(replacements)
    handler: Callable[[Any, object], Any] = names["handler"]
    return handler


def _repositories() -> Repositories:
    return create_in_memory_repositories(NOON.timestamp)


def _read_event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / f"events/{name}.json").read_text("utf-8"))
    return event


def _check_status(response: Any, status: int) -> None:  # noqa: ANN401 - API Gateway's response
    assert response["statusCode"] == status, response


def trace_files(use: Use) -> list[str]:
    """Run a use, and list the project files in which a function ran."""
    files: set[str] = set()

    def record_file(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # no module, no class
            files.add(frame.f_code.co_filename)

    with _profile(record_file):
        use()
    return sorted(
        file.removeprefix(f"{ROOT}/") for file in files if file.startswith(SOURCE_FOLDERS)
    )


@contextlib.contextmanager
def _profile(function: Callable[[FrameType, str, object], None]) -> Iterator[None]:
    """Profile this thread and those that it starts."""
    threading.setprofile(function)
    sys.setprofile(function)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def main() -> None:
    """Print the number of files of each use, or their names."""
    parser = argparse.ArgumentParser(prog="python -m bench.executed_files")
    parser.add_argument("--list", action="store_true", help="print the names of the files")
    options = parser.parse_args()
    print("| one use | files |\n|---|---|")
    for name, prepare in USES.items():
        with patch.dict(os.environ, ENVIRONMENT), contextlib.redirect_stdout(io.StringIO()):
            prepare()()
            files = trace_files(prepare())
        print(f"| {name} | {len(files)} |")
        if options.list:
            print(*(f"    {file}" for file in files), sep="\n")


if __name__ == "__main__":
    main()
