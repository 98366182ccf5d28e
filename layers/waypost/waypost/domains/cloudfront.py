"""The edge that CloudFront offers: a tenant of one multi-tenant distribution for each host.

The only place with calls of CloudFront, and of ACM, whose certificates it manages. A tenant is
found by its host, so no identifier of it has to be kept. A certificate is requested together with
the tenant and validated over HTTP by CloudFront itself, which works once DNS leads there; issued,
it still has to be attached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from waypost.domains.certificates import CertificateStatus, Tenant
from waypost.domains.edge.refusals import ELSEWHERE, translated
from waypost.errors import Conflict, NotAtEdge, ServedElsewhere, StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_cloudfront.type_defs import ManagedCertificateRequestTypeDef


class CloudFrontEdge:
    """An ``Edge`` (``securing``). Raises StoreUnavailable where CloudFront does not answer,
    Conflict where somebody else changed the tenant meanwhile.
    """

    def __init__(self, client: CloudFrontClient, distribution: str, connection_group: str) -> None:
        self._client = client
        self._distribution = distribution
        self._connection_group = connection_group

    def tenant(self, host: str, /) -> Tenant | None:
        found = self._find(host)
        if found is None:
            return None
        status, arn = self._certificate(found["Id"])
        attached = found["Customizations"].get("Certificate", {}).get("Arn")
        return Tenant(status, arn is not None and attached == arn, found["Enabled"])

    def create(self, host: str, /) -> None:
        with translated(host):
            self._client.create_distribution_tenant(
                DistributionId=self._distribution,
                ConnectionGroupId=self._connection_group,
                Name=tenant_name(host),
                Domains=[{"Domain": host}],
                ManagedCertificateRequest=_certificate_request(host),
                Enabled=True,  # a disabled one does not answer the authority either
            )

    def enable(self, host: str, /) -> None:
        self._update(self._known(host), {"Enabled": True})

    def attach(self, host: str, /) -> None:
        # The certificate is read first: reading it can change the tenant, and with that its ETag.
        _, arn = self._certificate(self._known(host)["Id"])
        if arn is None:
            return
        tenant = self._known(host)
        customized = tenant["Customizations"] | {"Certificate": {"Arn": arn}}
        self._update(tenant, {"Customizations": customized})

    def request_again(self, host: str, /) -> None:
        request = {"ManagedCertificateRequest": _certificate_request(host)}
        self._update(self._known(host), request)

    def remove(self, host: str, /) -> bool:
        found = self._find(host)
        if found is None:
            return True
        if found["Enabled"]:
            self._update(found, {"Enabled": False})
            return False
        if found["Status"] != "Deployed":  # disabling has not spread yet
            return False
        with translated(host):
            self._client.delete_distribution_tenant(Id=found["Id"], IfMatch=found["ETag"])
        return True

    def _update(self, tenant: _Found, changes: Mapping[str, Any]) -> None:
        """Change a tenant. All that it has is said again: what an update leaves out may be lost."""
        kept: dict[str, Any] = {
            "DistributionId": self._distribution,
            "ConnectionGroupId": self._connection_group,
            "Domains": [{"Domain": host} for host in tenant["Hosts"]],
            "Enabled": tenant["Enabled"],
        }
        if tenant["Customizations"]:
            kept["Customizations"] = tenant["Customizations"]
        with translated(tenant["Hosts"][0]):
            self._client.update_distribution_tenant(
                Id=tenant["Id"], IfMatch=tenant["ETag"], **(kept | dict(changes))
            )

    def _known(self, host: str) -> _Found:
        found = self._find(host)
        if found is None:
            raise Conflict(f"the tenant of {host} is gone")
        return found

    def _find(self, host: str) -> _Found | None:
        """The tenant of a host. Raises ServedElsewhere where it is not one of ours."""
        try:
            with translated(host):
                answer = self._client.get_distribution_tenant_by_domain(Domain=host)
        except NotAtEdge:
            return None
        tenant = _part(answer, "DistributionTenant")
        if tenant["DistributionId"] != self._distribution:
            raise ServedElsewhere(ELSEWHERE)
        return {
            "Id": tenant["Id"],
            "ETag": answer["ETag"],
            "Hosts": [domain["Domain"] for domain in tenant["Domains"]],
            "Customizations": dict(tenant.get("Customizations", {})),
            "Enabled": tenant.get("Enabled", False),
            "Status": tenant.get("Status", ""),
        }

    def _certificate(self, tenant: str) -> tuple[CertificateStatus, str | None]:
        try:
            with translated(tenant):
                answer = self._client.get_managed_certificate_details(Identifier=tenant)
        except NotAtEdge:
            return "none", None
        details = _part(answer, "ManagedCertificateDetails")
        return details.get("CertificateStatus", "none"), details.get("CertificateArn")


def _part(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A part of an answer. One without it, or with nothing in it, came from somebody else, who may
    have closed the elements of a page or sent none.
    """
    part: dict[str, Any] = answer.get(name, {})
    if not part:
        raise StoreUnavailable(f"CloudFront: an answer without {name}")
    return part


class _Found(TypedDict):
    """A tenant as CloudFront has it, in the parts that matter here."""

    Id: str
    ETag: str
    Hosts: list[str]
    Customizations: dict[str, Any]
    Enabled: bool
    Status: str


def tenant_name(host: str) -> str:
    """The name of a host's tenant: the host itself, within CloudFront's 128 characters."""
    return host[:128].rstrip(".-")


def _certificate_request(host: str) -> ManagedCertificateRequestTypeDef:
    return {"ValidationTokenHost": "cloudfront", "PrimaryDomainName": host}
