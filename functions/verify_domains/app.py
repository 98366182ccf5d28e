"""Checks tracking domains: on schedule those that are due, on demand one, over HTTP or invoked.

{"task": "due"}                             the schedule
{"task": "quotas"}                          another schedule
{"workspace": "acme", "host": "…"}          invoked by an operator
POST /v1/workspaces/{ws}/domains/{host}/verify
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, cast

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from waypost.aws.clients import strict
from waypost.config import DomainSettings, VerifyDomainsSettings
from waypost.domains import cloudfront as quotas
from waypost.domains.checker import Checker
from waypost.domains.cloudfront import CloudFrontEdge
from waypost.domains.dns import DnsResolver
from waypost.domains.events import Announcer, BusAnnouncer, Nobody
from waypost.domains.http_probe import Prober
from waypost.domains.model import Targets, code_of, utc_now
from waypost.domains.network import NEVER, Deadline, TcpConnector
from waypost.domains.sender_identity import SesIdentities
from waypost.domains.service import Manager
from waypost.domains.status import status_of
from waypost.domains.verification import Verifier
from waypost.errors import Clash, MalformedItem, WaypostError
from waypost.observability import Metric, count, logger
from waypost.repositories.dynamodb.client import DynamoClient
from waypost.repositories.dynamodb.domains import DynamoDomains
from waypost.responses import Response, json_response, problem
from waypost.tokens.keyring import KeyringSource, SecretReader

AT_MOST: Final = 4_000
"""Domains checked in one run; the rest waits for the next, five minutes later."""
KEEPING_SECONDS: Final = 15.0
"""Of a run's time, for keeping what the last checks saw."""
CALLER_SECONDS: Final = 20.0
"""For looking, where a caller waits: an HTTP API ends at 30, and a service that does not answer
then, or does not keep what was seen, is given up after 6 more.
"""
_GLOBAL: Final = "us-east-1"  # where CloudFront and its certificates are asked
_PATIENT: Final = Config(retries={"mode": "adaptive", "max_attempts": 5}, max_pool_connections=32)
_PROMPT: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=3
)

log = logger("verify-domains")


@cache
def verifier(config: Config) -> Verifier:
    """The use case on this function's table, keys and clients; they are safe across threads."""
    domains, own = DomainSettings.from_env(), VerifyDomainsSettings.from_env()
    secrets = cast("SecretReader", strict(boto3.client("secretsmanager", config=config)))
    dynamodb = cast("DynamoClient", strict(boto3.client("dynamodb", config=config)))
    cloudfront = strict(boto3.client("cloudfront", region_name=_GLOBAL, config=config))
    keys = KeyringSource(secrets, own.keyring_secret)
    resolver = DnsResolver()
    return Verifier(
        domains=DynamoDomains(dynamodb, domains.workspaces_table),
        checks=Checker(resolver, Prober(resolver, TcpConnector()), keys),
        edge=CloudFrontEdge(cloudfront, own.distribution, own.connection_group),
        identities=SesIdentities(strict(boto3.client("sesv2", config=config))),
        announcer=_announcer(domains, config),
        targets=Targets(domains.edge_endpoint, domains.default_host),
        now=utc_now,
    )


def _announcer(domains: DomainSettings, config: Config) -> Announcer:
    if not domains.event_bus:
        return Nobody()
    return BusAnnouncer(strict(boto3.client("events", config=config)), domains.event_bus)


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> Response | dict[str, Any]:
    """One of the four that the module names."""
    if "requestContext" in event:
        deadline = Deadline.after(CALLER_SECONDS)
        named = event["pathParameters"]
        try:
            told = _verify(verifier(_PROMPT), named["workspace"], named["host"], deadline)
            return json_response(200, told)
        except WaypostError as error:
            return problem(error)
    if "host" in event:
        return _verify(verifier(_PATIENT), str(event["workspace"]), str(event["host"]), NEVER)
    if event.get("task") == "quotas":
        return _quotas()
    return _due(context)


def _verify(use_case: Verifier, workspace: str, host: str, deadline: Deadline) -> dict[str, Any]:
    domain = use_case.verify(code_of(workspace), host.strip().lower(), deadline)
    if domain is None:
        return {"host": host, "use": "removed", "next_step": "Gone; it can be added anew."}
    return status_of(domain, use_case.targets.shown(domain)).model_dump(mode="json")


def _due(context: LambdaContext) -> dict[str, Any]:
    use_case = verifier(_PATIENT)
    _ensure_default_host(use_case)
    seconds = context.get_remaining_time_in_millis() / 1000 - KEEPING_SECONDS
    run = use_case.verify_due(AT_MOST, Deadline.after(seconds))
    for failure in run.failed:
        log.error("domain not checked", reason=failure)
    if run.failed:
        count(Metric.DOMAIN_CHECK_BROKE, len(run.failed))
    return {"checked": run.checked, "left": run.left, "failed": len(run.failed)}


def _ensure_default_host(use_case: Verifier) -> None:
    manager = Manager(use_case.domains, use_case.targets, use_case.announcer, use_case.now)
    try:
        manager.ensure_default_host()
    except (MalformedItem, Clash):  # one row of ours must not keep everybody's domains unchecked
        count(Metric.DOMAIN_CHECK_BROKE)
        log.exception("the stack's own host cannot be taken up")


def _quotas() -> dict[str, Any]:
    own = VerifyDomainsSettings.from_env()
    used = quotas.usage(
        strict(boto3.client("cloudfront", region_name=_GLOBAL, config=_PATIENT)),
        strict(boto3.client("acm", region_name=_GLOBAL, config=_PATIENT)),
    )
    used.report(quotas.Quotas(own.tenant_quota, own.certificate_quota))
    return {"tenants": used.tenants, "certificates": used.certificates}
