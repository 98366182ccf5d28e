"""The edge that CloudFront offers: a tenant of one multi-tenant distribution for each host.

The only place with calls of CloudFront, and of ACM, whose certificates it manages. A tenant is
found by its host, so no identifier of it has to be kept. A certificate is requested together with
the tenant and validated over HTTP by CloudFront itself, which works once DNS leads there; issued,
it still has to be attached.

How much of the account's quotas domains use: tenants of the distribution, certificates.

Both can be raised, but not within minutes, so an alarm goes off at 80 %.

What CloudFront refuses, as errors of ours; where a customer or operator can help, in words.
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


# Without a filter, ACM lists certificates with RSA keys of 1,024 and 2,048 bits alone.
_ALL_KEY_TYPES: Final[FiltersTypeDef] = {
    "keyTypes": [
        *("RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096"),
        *("EC_prime256v1", "EC_secp384r1", "EC_secp521r1"),
    ]
}


@dataclass(frozen=True, slots=True)
class AccountQuotas:
    """What the account may have: distribution tenants, and certificates in us-east-1, where
    CloudFront's are. 10,000 and 2,500 until they are raised.
    """

    tenants: int
    certificates: int


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    tenants: int
    certificates: int

    def emit_metrics(self, quotas: AccountQuotas) -> None:
        """Emit both shares, in whole percent."""
        emit_metric(Metric.TENANT_QUOTA_PERCENT, 100 * self.tenants // quotas.tenants)
        emit_metric(
            Metric.CERTIFICATE_QUOTA_PERCENT, 100 * self.certificates // quotas.certificates
        )


def load_quota_usage(cloudfront: CloudFrontClient, acm: ACMClient) -> QuotaUsage:
    """Count what the account has: quotas are the account's, whoever uses them."""
    tenants = cloudfront.get_paginator("list_distribution_tenants").paginate()
    certificates = acm.get_paginator("list_certificates").paginate(Includes=_ALL_KEY_TYPES)
    return QuotaUsage(
        sum(len(page.get("DistributionTenantList", [])) for page in tenants),
        sum(len(page.get("CertificateSummaryList", [])) for page in certificates),
    )


HOST_IN_USE_REASON: Final = "another CloudFront distribution has this host; take it off there"

_REJECTION_REASONS: Final = {
    "CNAMEAlreadyExists": HOST_IN_USE_REASON,
    "EntityLimitExceeded": "the account has no room for more domains; a quota has to be raised",
    "InvalidArgument": "CloudFront does not take this host",
    "AccessDenied": "this stack may not add hosts to CloudFront; its policy has to allow it",
}
_NOT_FOUND_CODES: Final = (
    "EntityNotFound",
    "404",
)  # the second, where an answer has no body to say more
_CONFLICT_CODES: Final = ("PreconditionFailed", "InvalidIfMatchVersion", "EntityAlreadyExists")


@contextmanager
def translate_cloudfront_errors(subject: str) -> Iterator[None]:
    """Turn what CloudFront answers about a subject into errors of ours.

    Raises NotAtEdge, EdgeRefused, Conflict (somebody else was faster), or StoreUnavailable.
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
    """An ``Edge`` (``securing``). Raises StoreUnavailable where CloudFront does not answer,
    Conflict where somebody else changed the tenant meanwhile.
    """

    def __init__(self, client: CloudFrontClient, distribution: str, connection_group: str) -> None:
        self._client = client
        self._distribution = distribution
        self._connection_group = connection_group

    def get_tenant(self, host: str, /) -> CdnTenant | None:
        found = self._find_tenant(host)
        if found is None:
            return None
        status, arn = self._get_certificate(found["Id"])
        attached = found["Customizations"].get("Certificate", {}).get("Arn")
        return CdnTenant(status, arn is not None and attached == arn, found["Enabled"])

    def create_tenant(self, host: str, /) -> None:
        with translate_cloudfront_errors(host):
            self._client.create_distribution_tenant(
                DistributionId=self._distribution,
                ConnectionGroupId=self._connection_group,
                Name=build_tenant_name(host),
                Domains=[{"Domain": host}],
                ManagedCertificateRequest=_build_certificate_request(host),
                Enabled=True,  # a disabled one does not answer the authority either
            )

    def enable_tenant(self, host: str, /) -> None:
        self._update_tenant(self._get_tenant_or_raise(host), {"Enabled": True})

    def attach_certificate(self, host: str, /) -> None:
        # The certificate is read first: reading it can change the tenant, and with that its ETag.
        _, arn = self._get_certificate(self._get_tenant_or_raise(host)["Id"])
        if arn is None:
            return
        tenant = self._get_tenant_or_raise(host)
        customized = tenant["Customizations"] | {"Certificate": {"Arn": arn}}
        self._update_tenant(tenant, {"Customizations": customized})

    def request_certificate(self, host: str, /) -> None:
        request = {"ManagedCertificateRequest": _build_certificate_request(host)}
        self._update_tenant(self._get_tenant_or_raise(host), request)

    def remove_tenant(self, host: str, /) -> bool:
        found = self._find_tenant(host)
        if found is None:
            return True
        if found["Enabled"]:
            self._update_tenant(found, {"Enabled": False})
            return False
        if found["Status"] != "Deployed":  # disabling has not spread yet
            return False
        with translate_cloudfront_errors(host):
            self._client.delete_distribution_tenant(Id=found["Id"], IfMatch=found["ETag"])
        return True

    def _update_tenant(self, tenant: _TenantDetails, changes: Mapping[str, Any]) -> None:
        """Change a tenant. All that it has is said again: what an update leaves out may be lost."""
        kept: dict[str, Any] = {
            "DistributionId": self._distribution,
            "ConnectionGroupId": self._connection_group,
            "Domains": [{"Domain": host} for host in tenant["Hosts"]],
            "Enabled": tenant["Enabled"],
        }
        if tenant["Customizations"]:
            kept["Customizations"] = tenant["Customizations"]
        with translate_cloudfront_errors(tenant["Hosts"][0]):
            self._client.update_distribution_tenant(
                Id=tenant["Id"], IfMatch=tenant["ETag"], **(kept | dict(changes))
            )

    def _get_tenant_or_raise(self, host: str) -> _TenantDetails:
        found = self._find_tenant(host)
        if found is None:
            raise WriteConflict(f"the tenant of {host} is gone")
        return found

    def _find_tenant(self, host: str) -> _TenantDetails | None:
        """The tenant of a host. Raises ServedElsewhere where it is not one of ours."""
        try:
            with translate_cloudfront_errors(host):
                answer = self._client.get_distribution_tenant_by_domain(Domain=host)
        except CdnResourceMissing:
            return None
        tenant = _require_part(answer, "DistributionTenant")
        if tenant["DistributionId"] != self._distribution:
            raise HostnameInUse(HOST_IN_USE_REASON)
        return {
            "Id": tenant["Id"],
            "ETag": answer["ETag"],
            "Hosts": [domain["Domain"] for domain in tenant["Domains"]],
            "Customizations": dict(tenant.get("Customizations", {})),
            "Enabled": tenant.get("Enabled", False),
            "Status": tenant.get("Status", ""),
        }

    def _get_certificate(self, tenant: str) -> tuple[CertificateStatus, str | None]:
        try:
            with translate_cloudfront_errors(tenant):
                answer = self._client.get_managed_certificate_details(Identifier=tenant)
        except CdnResourceMissing:
            return "none", None
        details = _require_part(answer, "ManagedCertificateDetails")
        return details.get("CertificateStatus", "none"), details.get("CertificateArn")


def _require_part(response: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A part of an answer. One without it, or with nothing in it, came from somebody else, who may
    have closed the elements of a page or sent none.
    """
    part: dict[str, Any] = response.get(name, {})
    if not part:
        raise StoreUnavailable(f"CloudFront: an answer without {name}")
    return part


class _TenantDetails(TypedDict):
    """A tenant as CloudFront has it, in the parts that matter here."""

    Id: str
    ETag: str
    Hosts: list[str]
    Customizations: dict[str, Any]
    Enabled: bool
    Status: str


def build_tenant_name(host: str) -> str:
    """The name of a host's tenant: the host itself, within CloudFront's 128 characters."""
    return host[:128].rstrip(".-")


def _build_certificate_request(host: str) -> ManagedCertificateRequestTypeDef:
    return {"ValidationTokenHost": "cloudfront", "PrimaryDomainName": host}
