"""Changes of tracking domains, told on the stack's event bus."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from waypost.domains.announcing import DETAIL_TYPE, event
from waypost.domains.model import Change, TrackingDomain
from waypost.observability import logger

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE: Final = "waypost"


class BusAnnouncer:
    """``waypost.domains.announcing.Announcer``. What the bus does not take goes to the log: the
    change itself is kept in the domain's history.
    """

    def __init__(self, client: EventBridgeClient, bus: str) -> None:
        self._client = client
        self._bus = bus

    def tell(self, domain: TrackingDomain, changes: Sequence[Change]) -> None:
        details = [event(domain, change) for change in changes]
        try:
            answer = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._bus,
                        "Source": SOURCE,
                        "DetailType": DETAIL_TYPE,
                        "Detail": json.dumps(detail, ensure_ascii=False),
                    }
                    for detail in details
                ]
            )
        except (BotoCoreError, ClientError, ResponseParserError) as e:
            logger("domains").error("domain events not told", events=details, error=str(e))
            return
        if answer.get("FailedEntryCount") != 0:
            logger("domains").error("domain events refused", events=details)
