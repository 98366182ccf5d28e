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
    CLICK_REPEATED = "ClickRepeated"
    CLICK_PARKED = "ClickParked"
    CLICK_LOGGED_ONLY = "ClickLoggedOnly"
    OPEN_RECORDED = "OpenRecorded"
    OPEN_LOST = "OpenLost"
    SHORT_LINK_UNKNOWN = "ShortLinkUnknown"
    LOOKUP_FAILED = "LookupFailed"
    TOKEN_REFUSED = "TokenRefused"  # noqa: S105 - a metric's name
    ORIGIN_REFUSED = "OriginRefused"
    LINK_REFUSED = "LinkRefused"
    CLICKS_COUNTED = "ClicksCounted"
    CLICKS_GIVEN_BACK = "ClicksGivenBack"
    COUNT_CONFLICT = "CountConflict"
    RECORD_REFUSED = "RecordRefused"
    MESSAGES_REWRITTEN = "MessagesRewritten"
    LINKS_TRACKED = "LinksTracked"
    MESSAGE_NOT_KEPT = "MessageNotKept"
    ROW_DAMAGED = "RowDamaged"
    KEYRING_STALE = "KeyringStale"
    DOMAIN_CHANGED = "DomainChanged"
    DOMAIN_FELL_BACK = "DomainFellBack"
    DOMAIN_CHECK_BROKE = "DomainCheckBroke"
    DEFAULT_HOST_FAILED = "DefaultHostFailed"
    TENANT_QUOTA_PERCENT = "TenantQuotaPercent"
    CERTIFICATE_QUOTA_PERCENT = "CertificateQuotaPercent"


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
