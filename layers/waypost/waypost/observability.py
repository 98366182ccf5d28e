"""Create structured loggers and emit metrics.

Metrics use CloudWatch's embedded metric format, one log line for each, and need no API call. All
metric names are here, so that tests can check the alarms of template.yaml against them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from typing import TextIO

from aws_lambda_powertools.logging import Logger

METRIC_NAMESPACE = "Waypost"


class Metric(StrEnum):
    """Names of counts. Their dimensions are the function, and a reason if they have one."""

    CLICK_REDIRECTED = "ClickRedirected"
    """Clicks redirected and stored."""
    CLICK_REPEATED = "ClickRepeated"
    """Clicks that were stored already: a retry of the same request."""
    CLICK_PARKED = "ClickParked"
    """Clicks sent to the fallback queue because the table could not be written."""
    CLICK_LOGGED_ONLY = "ClickLoggedOnly"
    """Clicks that only the log has, because the fallback queue failed as well."""
    OPEN_RECORDED = "OpenRecorded"
    """Opens stored."""
    OPEN_LOST = "OpenLost"
    """Opens that could not be stored."""
    SHORT_LINK_UNKNOWN = "ShortLinkUnknown"
    """Requests for short links that were never issued, or are deleted."""
    LOOKUP_FAILED = "LookupFailed"
    """Short links or stored destinations that could not be read."""
    TOKEN_REFUSED = "TokenRefused"  # noqa: S105 - a metric's name
    """Tokens refused, by reason."""
    ORIGIN_REFUSED = "OriginRefused"
    """Requests refused because they did not come through CloudFront."""
    LINK_REFUSED = "LinkRefused"
    """Responses of the redirect function with a 4xx status."""
    CLICKS_COUNTED = "ClicksCounted"
    """Clicks added to the counters."""
    CLICKS_GIVEN_BACK = "ClicksGivenBack"
    """Clicks reported to the stream as failed, which delivers them again."""
    COUNT_CONFLICT = "CountConflict"
    """Transactions lost against another writer and repeated."""
    RECORD_REFUSED = "RecordRefused"
    """Stream records and queue messages that are not readable clicks."""
    MESSAGES_REWRITTEN = "MessagesRewritten"
    """Messages rewritten, one for each recipient."""
    LINKS_TRACKED = "LinksTracked"
    """Tracked links of rewritten messages."""
    REWRITE_FAILED = "RewriteFailed"
    """Rewrites answered with a 5xx status, over HTTP and by invocation."""
    MESSAGE_NOT_KEPT = "MessageNotKept"
    """Messages that could not be archived for the click map, by reason."""
    ROW_DAMAGED = "RowDamaged"
    """Stored items that could not be read."""
    KEYRING_STALE = "KeyringStale"
    """Uses of cached keys because the keyring could not be read."""
    DOMAIN_CHANGED = "DomainChanged"
    """Changes of a tracking domain's state."""
    DOMAIN_FELL_BACK = "DomainFellBack"
    """Tracking domains that stopped working; new messages use the default host."""
    DOMAIN_CHECK_BROKE = "DomainCheckBroke"
    """Domain checks that failed with an error."""
    DEFAULT_HOST_FAILED = "DefaultHostFailed"
    """Failed checks of the stack's default host."""
    TENANT_QUOTA_PERCENT = "TenantQuotaPercent"
    """Used share of the account's quota of distribution tenants, in percent."""
    CERTIFICATE_QUOTA_PERCENT = "CertificateQuotaPercent"
    """Used share of the account's quota of certificates, in percent."""


def create_logger(function: str) -> Logger:
    """Create the structured logger of a function, configured by the POWERTOOLS_ variables."""
    return Logger(service=f"waypost-{function}", use_rfc3339=True)


def log_server_error(logger: Logger, status: int, error: Exception) -> None:
    """Log an error that is answered with a 5xx status; any other status is the caller's mistake."""
    if status >= 500:
        logger.error("Request failed", extra={"status": status}, exc_info=error)


def emit_metric(
    metric: Metric,
    value: int = 1,
    *,
    reason: str | None = None,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Emit a metric as one line of embedded metric format.

    Its dimensions are the function, whose name identifies the stack in the region, and the
    ``reason``. Use few fixed words as reasons: each is a metric with its own price.
    """
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local")
    dimensions = [["function"]] if reason is None else [["function"], ["function", "reason"]]
    line = {
        "_aws": {
            "Timestamp": int(clock() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": METRIC_NAMESPACE,
                    "Dimensions": dimensions,
                    "Metrics": [{"Name": metric.value, "Unit": "Count"}],
                }
            ],
        },
        "function": function,
        metric.value: value,
    }
    if reason is not None:
        line["reason"] = reason
    print(json.dumps(line, separators=(",", ":")), file=stream or sys.stdout, flush=True)
