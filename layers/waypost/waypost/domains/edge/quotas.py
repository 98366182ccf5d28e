"""How much of the account's quotas domains use: tenants of the distribution, certificates.

Both can be raised, but not within minutes, so an alarm goes off at 80 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from waypost.observability import Metric, count

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_acm.type_defs import FiltersTypeDef
    from mypy_boto3_cloudfront import CloudFrontClient

TENANTS: Final = 10_000
"""Distribution tenants of an account."""
CERTIFICATES: Final = 2_500
"""Certificates of an account in us-east-1, where CloudFront's are."""

# Without a filter, ACM lists certificates with RSA keys of 1,024 and 2,048 bits alone.
_EVERY_KEY: Final[FiltersTypeDef] = {
    "keyTypes": [
        *("RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096"),
        *("EC_prime256v1", "EC_secp384r1", "EC_secp521r1"),
    ]
}


@dataclass(frozen=True, slots=True)
class Quotas:
    """What the account may have: distribution tenants, and certificates in us-east-1, where
    CloudFront's are. 10,000 and 2,500 until they are raised.
    """

    tenants: int
    certificates: int


@dataclass(frozen=True, slots=True)
class Usage:
    tenants: int
    certificates: int

    def report(self, quotas: Quotas) -> None:
        """Emit both shares, in whole percent."""
        count(Metric.TENANT_QUOTA_PERCENT, 100 * self.tenants // quotas.tenants)
        count(Metric.CERTIFICATE_QUOTA_PERCENT, 100 * self.certificates // quotas.certificates)


def usage(cloudfront: CloudFrontClient, acm: ACMClient) -> Usage:
    """Count what the account has: quotas are the account's, whoever uses them."""
    tenants = cloudfront.get_paginator("list_distribution_tenants").paginate()
    certificates = acm.get_paginator("list_certificates").paginate(Includes=_EVERY_KEY)
    return Usage(
        sum(len(page.get("DistributionTenantList", [])) for page in tenants),
        sum(len(page.get("CertificateSummaryList", [])) for page in certificates),
    )
