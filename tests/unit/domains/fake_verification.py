"""Fakes of the checker, the CDN and SES for tests of the function that checks domains."""

from __future__ import annotations

from typing import ClassVar

from tests.unit.domains.builders import HTTPS
from waypost.domains.network import Deadline
from waypost.models.domain_check import CheckResult, DnsResult


class FakeChecker:
    """A checker that finds HTTPS on every host, and raises for hosts named ``broken.…``."""

    deadline: ClassVar[Deadline]
    """The deadline of the last check."""

    def check(self, host: str, _proof: str, _targets: object, deadline: Deadline) -> CheckResult:
        FakeChecker.deadline = deadline
        if host.startswith("broken."):
            raise RuntimeError("out of order")
        return HTTPS

    def check_dns(self, *_: object) -> DnsResult:
        return HTTPS.dns


class FakeServices:
    """A CDN without tenants, and SES identities that are all verified."""

    def get_tenant(self, _host: str) -> None:
        return None

    def get_verification(self, _domain: str) -> bool:
        return True
