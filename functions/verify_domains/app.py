"""Checks tracking domains: on schedule those that are due, on demand one, over HTTP or invoked.

{"task": "due"}                             the schedule
{"task": "quotas"}                          another schedule
{"workspace": "acme", "host": "…"}          invoked by an operator
POST /v1/workspaces/{ws}/domains/{host}/verify
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from waypost.aws.clients import create_boto3_client
from waypost.composition import CLOUDFRONT_REGION, create_domain_verification_service
from waypost.config import VerifyDomainsConfig
from waypost.domains import cloudfront as quotas
from waypost.domains.network import NO_DEADLINE, Deadline
from waypost.domains.service import DomainService
from waypost.domains.status import build_domain_status
from waypost.domains.verification import DomainVerificationService
from waypost.errors import AlreadyExists, CorruptItem, WaypostError
from waypost.models.tracking_domain import resolve_workspace_id, utc_now
from waypost.observability import Metric, create_logger, emit_metric
from waypost.responses import Response, json_response, problem_response

MAX_DOMAINS_PER_RUN: Final = 4_000
"""Domains checked in one run; the rest waits for the next, five minutes later."""
SAVE_RESERVE_SECONDS: Final = 15.0
"""Of a run's time, for keeping what the last checks saw."""
REQUEST_CHECK_SECONDS: Final = 20.0
"""For looking, where a caller waits: an HTTP API ends at 30, and a service that does not answer
then, or does not keep what was seen, is given up after 6 more.
"""
_SCHEDULED_CONFIG: Final = Config(
    retries={"mode": "adaptive", "max_attempts": 5}, max_pool_connections=32
)
_REQUEST_CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=3
)

log = create_logger("verify-domains")


@cache
def get_verification_service(config: Config) -> DomainVerificationService:
    """The use case on this function's table, keys and clients; they are safe across threads."""
    return create_domain_verification_service(config, utc_now)


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> Response | dict[str, Any]:
    """One of the four that the module names."""
    if "requestContext" in event:
        deadline = Deadline.from_now(REQUEST_CHECK_SECONDS)
        named = event["pathParameters"]
        try:
            told = _verify_domain(
                get_verification_service(_REQUEST_CONFIG),
                named["workspace"],
                named["host"],
                deadline,
            )
            return json_response(200, told)
        except WaypostError as error:
            return problem_response(error)
    if "host" in event:
        return _verify_domain(
            get_verification_service(_SCHEDULED_CONFIG),
            str(event["workspace"]),
            str(event["host"]),
            NO_DEADLINE,
        )
    if event.get("task") == "quotas":
        return _report_quotas()
    return _verify_due_domains(context)


def _verify_domain(
    service: DomainVerificationService, workspace: str, host: str, deadline: Deadline
) -> dict[str, Any]:
    domain = service.verify_domain(resolve_workspace_id(workspace), host.strip().lower(), deadline)
    if domain is None:
        return {"host": host, "use": "removed", "next_step": "Removed; you can add it again."}
    return build_domain_status(domain, service.targets.get_primary_target(domain)).model_dump(
        mode="json"
    )


def _verify_due_domains(context: LambdaContext) -> dict[str, Any]:
    use_case = get_verification_service(_SCHEDULED_CONFIG)
    _ensure_default_host(use_case)
    seconds = context.get_remaining_time_in_millis() / 1000 - SAVE_RESERVE_SECONDS
    run = use_case.verify_due_domains(MAX_DOMAINS_PER_RUN, Deadline.from_now(seconds))
    for failure in run.failures:
        log.error("domain not checked", reason=failure)
    if run.failures:
        emit_metric(Metric.DOMAIN_CHECK_BROKE, len(run.failures))
    return {"checked": run.checked_count, "left": run.skipped_count, "failed": len(run.failures)}


def _ensure_default_host(service: DomainVerificationService) -> None:
    manager = DomainService(service.domains, service.targets, service.event_publisher, service.now)
    try:
        manager.ensure_default_host()
    except (
        CorruptItem,
        AlreadyExists,
    ):  # one row of ours must not keep everybody's domains unchecked
        emit_metric(Metric.DOMAIN_CHECK_BROKE)
        log.exception("the stack's own host cannot be taken up")


def _report_quotas() -> dict[str, Any]:
    own = VerifyDomainsConfig.from_env()
    used = quotas.load_quota_usage(
        create_boto3_client("cloudfront", _SCHEDULED_CONFIG, region_name=CLOUDFRONT_REGION),
        create_boto3_client("acm", _SCHEDULED_CONFIG, region_name=CLOUDFRONT_REGION),
    )
    used.emit_metrics(quotas.AccountQuotas(own.tenant_quota, own.certificate_quota))
    return {"tenants": used.tenants, "certificates": used.certificates}
