"""Checks tracking domains: those that are due on a schedule, or one on request.

{"task": "due"}                             the schedule of checks
{"task": "quotas"}                          the schedule of quota metrics
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
from waypost.domains.cloudfront import AccountQuotas, load_quota_usage
from waypost.domains.network import NO_DEADLINE, Deadline
from waypost.domains.service import DomainService
from waypost.domains.status import build_domain_status
from waypost.domains.verification import DomainVerificationService
from waypost.errors import AlreadyExists, CorruptItem, WaypostError
from waypost.models.tracking_domain import utc_now
from waypost.observability import Metric, create_logger, emit_metric
from waypost.path_names import decode_path_parameter
from waypost.responses import Response, json_response, problem_response

MAX_DOMAINS_PER_RUN: Final = 4_000
"""Maximum of domains in one run; the next run, five minutes later, checks the rest."""
SAVE_RESERVE_SECONDS: Final = 15.0
"""Part of a run's time for saving the last results."""
REQUEST_CHECK_SECONDS: Final = 20.0
"""Time for a check while a caller waits. An HTTP API ends the request at 30 s. A service that does
not answer during the check, or does not save the result, is given up after 6 s more.
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
    """Return the service on this function's table, keyring and clients."""
    return create_domain_verification_service(config, utc_now)


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> Response | dict[str, Any]:
    """Handle one of the four events in the module docstring."""
    if "requestContext" in event:
        deadline = Deadline.from_now(REQUEST_CHECK_SECONDS)
        parameters = event["pathParameters"]
        try:
            status = _verify_domain(
                get_verification_service(_REQUEST_CONFIG),
                decode_path_parameter(parameters, "workspace"),
                decode_path_parameter(parameters, "host"),
                deadline,
            )
            return json_response(200, status)
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
    domain = service.verify_domain_by_name(workspace, host, deadline)
    if domain is None:
        return {"host": host, "use": "removed", "next_step": "Removed; you can add it again."}
    status = build_domain_status(domain, service.targets.get_primary_target(domain))
    return status.model_dump(mode="json")


def _verify_due_domains(context: LambdaContext) -> dict[str, Any]:
    service = get_verification_service(_SCHEDULED_CONFIG)
    _ensure_default_host(service)
    seconds = context.get_remaining_time_in_millis() / 1000 - SAVE_RESERVE_SECONDS
    run = service.verify_due_domains(MAX_DOMAINS_PER_RUN, Deadline.from_now(seconds))
    for failure in run.failures:
        log.error("domain not checked", reason=failure)
    if run.failures:
        emit_metric(Metric.DOMAIN_CHECK_BROKE, len(run.failures))
    return {"checked": run.checked_count, "left": run.skipped_count, "failed": len(run.failures)}


def _ensure_default_host(service: DomainVerificationService) -> None:
    domains = DomainService(
        service.domains, service.workspaces, service.targets, service.event_publisher, service.now
    )
    try:
        domains.ensure_default_host()
    except (CorruptItem, AlreadyExists):  # the checks of customers' domains go on
        emit_metric(Metric.DOMAIN_CHECK_BROKE)
        log.exception("Default host not added")


def _report_quotas() -> dict[str, Any]:
    config = VerifyDomainsConfig.from_env()
    usage = load_quota_usage(
        create_boto3_client("cloudfront", _SCHEDULED_CONFIG, region_name=CLOUDFRONT_REGION),
        create_boto3_client("acm", _SCHEDULED_CONFIG, region_name=CLOUDFRONT_REGION),
    )
    usage.emit_metrics(AccountQuotas(config.tenant_quota, config.certificate_quota))
    return {"tenants": usage.tenants, "certificates": usage.certificates}
