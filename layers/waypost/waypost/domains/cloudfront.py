"""The edge that CloudFront offers: a tenant of one multi-tenant distribution for each host.

The only place with calls of CloudFront, and of ACM, whose certificates it manages. A tenant is
found by its host, so no identifier of it has to be kept. A certificate is requested together with
the tenant and validated over HTTP by CloudFront itself, which works once DNS leads there; issued,
it still has to be attached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from waypost.domains.edge import CertificateStatus, Tenant
from waypost.errors import Conflict, EdgeRefused, StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_cloudfront.type_defs import ManagedCertificateRequestTypeDef

_REFUSALS: Final = {
    "CNAMEAlreadyExists": "another CloudFront distribution has this host; take it off there",
    "EntityLimitExceeded": "the account has no room for more domains; a quota has to be raised",
    "InvalidArgument": "CloudFront does not take this host",
    "AccessDenied": "this stack may not add hosts to CloudFront; its policy has to allow it",
}
_MISSING: Final = ("EntityNotFound", "404")  # the second, where an answer has no body to say more
_RACES: Final = ("PreconditionFailed", "InvalidIfMatchVersion", "EntityAlreadyExists")


class CloudFrontEdge:
    """``waypost.domains.edge.Edge``. Raises StoreUnavailable where CloudFront does not answer,
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
        with _translated(host):
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
        with _translated(host):
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
        with _translated(tenant["Hosts"][0]):
            self._client.update_distribution_tenant(
                Id=tenant["Id"], IfMatch=tenant["ETag"], **(kept | dict(changes))
            )

    def _known(self, host: str) -> _Found:
        found = self._find(host)
        if found is None:
            raise Conflict(f"the tenant of {host} is gone")
        return found

    def _find(self, host: str) -> _Found | None:
        """The tenant of a host. Raises EdgeRefused where it is not one of ours."""
        try:
            with _translated(host):
                answer = self._client.get_distribution_tenant_by_domain(Domain=host)
        except _NotThere:
            return None
        tenant = answer["DistributionTenant"]
        if tenant["DistributionId"] != self._distribution:
            raise EdgeRefused(_REFUSALS["CNAMEAlreadyExists"])
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
            with _translated(tenant):
                answer = self._client.get_managed_certificate_details(Identifier=tenant)
        except _NotThere:
            return "none", None
        details = answer["ManagedCertificateDetails"]
        return details.get("CertificateStatus", "none"), details.get("CertificateArn")


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


class _NotThere(StoreUnavailable):
    """Raised here alone: CloudFront knows no such tenant, certificate, distribution or group."""


class _translated:  # noqa: N801 - reads as a statement
    """Turns what CloudFront answers into errors of ours."""

    def __init__(self, subject: str) -> None:
        self._subject = subject

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, BotoCoreError):
            raise StoreUnavailable(f"CloudFront: {type(error).__name__}") from error
        if not isinstance(error, ClientError):
            return
        code = error.response["Error"]["Code"]
        if code in _MISSING:
            raise _NotThere(f"CloudFront: {code}") from error
        if code in _REFUSALS:
            raise EdgeRefused(_REFUSALS[code]) from error
        if code in _RACES:
            raise Conflict(f"{self._subject}: {code}") from error
        raise StoreUnavailable(f"CloudFront: {code}") from error
