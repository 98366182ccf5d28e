"""CloudFront tenants: one tenant of a multi-tenant distribution for each host.

This is the only module that calls CloudFront, and ACM, which has the certificates. A tenant is
found by its host, so no tenant id is stored. A certificate is requested together with the tenant.
CloudFront validates it over HTTP, which works once DNS points there; then it must be attached.

It also measures the use of the account's quotas. An increase takes longer than minutes, so an alarm
starts at 80 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from waypost.domains.certificates import CdnTenant, CertificateStatus
from waypost.errors import (
    CdnRequestRejected,
    CdnResourceMissing,
    HostnameInUse,
    StoreUnavailable,
    WriteConflict,
)
from waypost.observability import Metric, emit_metric

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_acm.type_defs import FiltersTypeDef
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_cloudfront.type_defs import ManagedCertificateRequestTypeDef


# Without a filter, ACM lists only certificates with RSA keys of 1,024 and 2,048 bits.
_ALL_KEY_TYPES: Final[FiltersTypeDef] = {
    "keyTypes": [
        *("RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096"),
        *("EC_prime256v1", "EC_secp384r1", "EC_secp521r1"),
    ]
}


@dataclass(frozen=True, slots=True)
class AccountQuotas:
    """The account's quotas: distribution tenants, and certificates in us-east-1, where CloudFront's
    are.

    The defaults of AWS are 10,000 tenants and 2,500 certificates.
    """

    tenants: int
    certificates: int


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """The number of tenants and certificates in the account."""

    tenants: int
    certificates: int

    def emit_metrics(self, quotas: AccountQuotas) -> None:
        """Emit both shares, in whole percent."""
        emit_metric(Metric.TENANT_QUOTA_PERCENT, 100 * self.tenants // quotas.tenants)
        emit_metric(
            Metric.CERTIFICATE_QUOTA_PERCENT, 100 * self.certificates // quotas.certificates
        )


def load_quota_usage(cloudfront: CloudFrontClient, acm: ACMClient) -> QuotaUsage:
    """Count all tenants and certificates of the account, because quotas are per account."""
    tenants = cloudfront.get_paginator("list_distribution_tenants").paginate()
    certificates = acm.get_paginator("list_certificates").paginate(Includes=_ALL_KEY_TYPES)
    return QuotaUsage(
        sum(len(page.get("DistributionTenantList", [])) for page in tenants),
        sum(len(page.get("CertificateSummaryList", [])) for page in certificates),
    )


HOST_IN_USE_REASON: Final = "another CloudFront distribution has this host; remove it there"

_REJECTION_REASONS: Final = {
    "CNAMEAlreadyExists": HOST_IN_USE_REASON,
    "EntityLimitExceeded": "the account has no room for more domains; request a higher quota",
    "InvalidArgument": "CloudFront does not accept this host",
    "AccessDenied": "this stack may not add hosts to CloudFront; allow it in its policy",
}
# "404" is the code of a response without a body.
_NOT_FOUND_CODES: Final = ("EntityNotFound", "404")
_CONFLICT_CODES: Final = ("PreconditionFailed", "InvalidIfMatchVersion", "EntityAlreadyExists")


@contextmanager
def translate_cloudfront_errors(subject: str) -> Iterator[None]:
    """Translate CloudFront's errors about a subject.

    Raises CdnResourceMissing, CdnRequestRejected, WriteConflict (a concurrent change) or
    StoreUnavailable.
    """
    try:
        yield
    except ClientError as e:
        code = e.response["Error"]["Code"]
        if code in _NOT_FOUND_CODES:
            raise CdnResourceMissing(f"CloudFront: {code}") from e
        if code in _REJECTION_REASONS:
            raise CdnRequestRejected(_REJECTION_REASONS[code]) from e
        if code in _CONFLICT_CODES:
            raise WriteConflict(f"{subject}: {code}") from e
        raise StoreUnavailable(f"CloudFront: {code}") from e
    except (BotoCoreError, ResponseParserError) as e:
        raise StoreUnavailable(f"CloudFront: {type(e).__name__}") from e


class CloudFrontTenants:
    """The tenants of one distribution.

    Raises StoreUnavailable if CloudFront does not answer, WriteConflict after a concurrent change.
    """

    def __init__(self, client: CloudFrontClient, distribution: str, connection_group: str) -> None:
        self._client = client
        self._distribution = distribution
        self._connection_group = connection_group

    def get_tenant(self, host: str, /) -> CdnTenant | None:
        tenant = self._find_tenant(host)
        if tenant is None:
            return None
        status, arn = self._get_certificate(tenant["Id"])
        attached_arn = tenant["Customizations"].get("Certificate", {}).get("Arn")
        return CdnTenant(status, arn is not None and attached_arn == arn, tenant["Enabled"])

    def create_tenant(self, host: str, /) -> None:
        with translate_cloudfront_errors(host):
            self._client.create_distribution_tenant(
                DistributionId=self._distribution,
                ConnectionGroupId=self._connection_group,
                Name=build_tenant_name(host),
                Domains=[{"Domain": host}],
                ManagedCertificateRequest=_build_certificate_request(host),
                Enabled=True,  # the certificate authority cannot validate a disabled tenant
            )

    def enable_tenant(self, host: str, /) -> None:
        self._update_tenant(self._get_tenant_or_raise(host), {"Enabled": True})

    def attach_certificate(self, host: str, /) -> None:
        # The certificate is read first, because the read can change the tenant and so its ETag.
        _, arn = self._get_certificate(self._get_tenant_or_raise(host)["Id"])
        if arn is None:
            return
        tenant = self._get_tenant_or_raise(host)
        customizations = tenant["Customizations"] | {"Certificate": {"Arn": arn}}
        self._update_tenant(tenant, {"Customizations": customizations})

    def request_certificate(self, host: str, /) -> None:
        request = {"ManagedCertificateRequest": _build_certificate_request(host)}
        self._update_tenant(self._get_tenant_or_raise(host), request)

    def remove_tenant(self, host: str, /) -> bool:
        tenant = self._find_tenant(host)
        if tenant is None:
            return True
        if tenant["Enabled"]:
            self._update_tenant(tenant, {"Enabled": False})
            return False
        if tenant["Status"] != "Deployed":  # the disabled state is not deployed yet
            return False
        with translate_cloudfront_errors(host):
            self._client.delete_distribution_tenant(Id=tenant["Id"], IfMatch=tenant["ETag"])
        return True

    def _update_tenant(self, tenant: _TenantDetails, changes: Mapping[str, Any]) -> None:
        """Update a tenant, repeating all of its values.

        An update may drop the values that it leaves out.
        """
        values: dict[str, Any] = {
            "DistributionId": self._distribution,
            "ConnectionGroupId": self._connection_group,
            "Domains": [{"Domain": host} for host in tenant["Hosts"]],
            "Enabled": tenant["Enabled"],
        }
        if tenant["Customizations"]:
            values["Customizations"] = tenant["Customizations"]
        with translate_cloudfront_errors(tenant["Hosts"][0]):
            self._client.update_distribution_tenant(
                Id=tenant["Id"], IfMatch=tenant["ETag"], **(values | dict(changes))
            )

    def _get_tenant_or_raise(self, host: str) -> _TenantDetails:
        tenant = self._find_tenant(host)
        if tenant is None:
            raise WriteConflict(f"CloudFront tenant of {host}: deleted meanwhile")
        return tenant

    def _find_tenant(self, host: str) -> _TenantDetails | None:
        """Find the tenant of a host. Raises HostnameInUse if another distribution has it."""
        try:
            with translate_cloudfront_errors(host):
                response = self._client.get_distribution_tenant_by_domain(Domain=host)
        except CdnResourceMissing:
            return None
        tenant = _require_part(response, "DistributionTenant")
        if tenant["DistributionId"] != self._distribution:
            raise HostnameInUse(HOST_IN_USE_REASON)
        return {
            "Id": tenant["Id"],
            "ETag": response["ETag"],
            "Hosts": [domain["Domain"] for domain in tenant["Domains"]],
            "Customizations": dict(tenant.get("Customizations", {})),
            "Enabled": tenant.get("Enabled", False),
            "Status": tenant.get("Status", ""),
        }

    def _get_certificate(self, tenant: str) -> tuple[CertificateStatus, str | None]:
        try:
            with translate_cloudfront_errors(tenant):
                response = self._client.get_managed_certificate_details(Identifier=tenant)
        except CdnResourceMissing:
            return "none", None
        details = _require_part(response, "ManagedCertificateDetails")
        return details.get("CertificateStatus", "none"), details.get("CertificateArn")


def _require_part(response: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a part of a response.

    A response without it, or with an empty one, is not CloudFront's: a proxy can answer in its
    place.
    """
    part: dict[str, Any] = response.get(name, {})
    if not part:
        raise StoreUnavailable(f"CloudFront: no {name} in the response")
    return part


class _TenantDetails(TypedDict):
    """The parts of CloudFront's tenant that this module needs."""

    Id: str
    ETag: str
    Hosts: list[str]
    Customizations: dict[str, Any]
    Enabled: bool
    Status: str


def build_tenant_name(host: str) -> str:
    """Build the name of a host's tenant: the host, cut to CloudFront's 128 characters."""
    return host[:128].rstrip(".-")


def _build_certificate_request(host: str) -> ManagedCertificateRequestTypeDef:
    return {"ValidationTokenHost": "cloudfront", "PrimaryDomainName": host}
