"""CloudFront's distribution tenants, as far as tracking domains need them."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

from botocore.awsrequest import AWSPreparedRequest

DISTRIBUTION, GROUP = "E1MULTITENANT", "cg_1"
ARN = "arn:aws:acm:us-east-1:123456789012:certificate/"


@dataclass
class Tenant:
    """A host, its certificate's state, and whether that is attached."""

    host: str
    certificate: str = "pending-validation"
    attached: bool = False
    enabled: bool = True


@dataclass
class Tenants:
    """Tenants by host. ``issue`` is the authority: what waits for a certificate gets it."""

    held: dict[str, Tenant] = field(default_factory=dict)

    def issue(self) -> None:
        for tenant in self.held.values():
            if tenant.certificate == "pending-validation":
                tenant.certificate = "issued"

    def answer(self, operation: str, request: AWSPreparedRequest) -> tuple[int, bytes]:
        """Status and body of what CloudFront says."""
        path, query = urlsplit(request.url).path, parse_qs(urlsplit(request.url).query)
        if operation == "CreateDistributionTenant":
            return self._create(request)
        if operation == "ListDistributionTenants":
            return 200, _xml("ListDistributionTenantsResult", "")
        name = unquote(path.rsplit("/", 1)[1])
        tenant = self.held.get(query["domain"][0] if "domain" in query else name)
        if tenant is None:
            return 404, b"<ErrorResponse><Error><Code>EntityNotFound</Code></Error></ErrorResponse>"
        if operation == "GetManagedCertificateDetails":
            return 200, _certificate(tenant)
        if operation == "DeleteDistributionTenant":
            del self.held[tenant.host]
            return 204, b""
        if operation == "UpdateDistributionTenant":
            _update(tenant, request)
        return 200, _described(tenant)

    def _create(self, request: AWSPreparedRequest) -> tuple[int, bytes]:
        host = _text(request, "Name")
        if host in self.held:
            return 409, (
                b"<ErrorResponse><Error><Code>EntityAlreadyExists</Code></Error></ErrorResponse>"
            )
        self.held[host] = Tenant(host)
        return 201, _described(self.held[host])


def _update(tenant: Tenant, request: AWSPreparedRequest) -> None:
    tenant.enabled = _text(request, "Enabled") == "true"
    tenant.attached = tenant.attached or bool(_text(request, "Arn"))


def _text(request: AWSPreparedRequest, name: str) -> str:
    for element in ElementTree.fromstring(_body(request)).iter():
        if element.tag.rpartition("}")[2] == name:
            return element.text or ""
    return ""


def _body(request: AWSPreparedRequest) -> bytes:
    """The body of a request, which botocore makes as bytes."""
    assert isinstance(request.body, bytes)
    return request.body


def _described(tenant: Tenant) -> bytes:
    attached = f"<Certificate><Arn>{ARN}{tenant.host}</Arn></Certificate>"
    return _xml(
        "DistributionTenant",
        f"<Id>{tenant.host}</Id><DistributionId>{DISTRIBUTION}</DistributionId>"
        f"<Name>{tenant.host}</Name><Arn>{tenant.host}</Arn>"
        f"<Domains><member><Domain>{tenant.host}</Domain><Status>active</Status></member></Domains>"
        f"<Customizations>{attached if tenant.attached else ''}</Customizations>"
        f"<ConnectionGroupId>{GROUP}</ConnectionGroupId>"
        f"<Enabled>{str(tenant.enabled).lower()}</Enabled><Status>Deployed</Status>",
    )


def _certificate(tenant: Tenant) -> bytes:
    arn = f"<CertificateArn>{ARN}{tenant.host}</CertificateArn>"
    return _xml(
        "ManagedCertificateDetails",
        f"{arn if tenant.certificate == 'issued' else ''}"
        f"<CertificateStatus>{tenant.certificate}</CertificateStatus>",
    )


def _xml(root: str, inner: str) -> bytes:
    return f"<{root}>{inner}</{root}>".encode()
