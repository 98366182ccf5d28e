"""What the functions say about themselves: structured logs, and metrics by name.

Metrics are written as CloudWatch's embedded metric format, one log line an event, and cost no
call. Every name that code emits stands here and nowhere else, so that the alarms of template.yaml
can be checked against it.
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
    """A count that something happened; the dimension is the function, and a reason where it has
    one.
    """

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
    MESSAGE_NOT_KEPT = "MessageNotKept"
    """Messages that could not be archived for the click map."""
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
    """The structured logger of one function; configured by the POWERTOOLS_ variables."""
    return Logger(service=f"waypost-{function}", use_rfc3339=True)


def emit_metric(
    metric: Metric,
    value: int = 1,
    *,
    reason: str | None = None,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Emit a metric as one line of embedded metric format.

    It is counted by function, whose name tells the stack apart from others in the region; with a
    ``reason`` by that as well. Keep reasons to a handful of fixed words, each is a metric of its
    own.
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
