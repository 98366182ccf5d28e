"""Fake distribution tenants of CloudFront, with the operations that tracking domains need."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

from botocore.awsrequest import AWSPreparedRequest

DISTRIBUTION, GROUP = "E1MULTITENANT", "cg_1"
ARN = "arn:aws:acm:us-east-1:123456789012:certificate/"


@dataclass
class FakeTenant:
    """A host with the state of its certificate; ``attached`` if the tenant serves with it."""

    host: str
    certificate: str = "pending-validation"
    attached: bool = False
    enabled: bool = True


@dataclass
class FakeTenants:
    """The tenants by host; ``issue_certificates`` plays the certificate authority."""

    by_host: dict[str, FakeTenant] = field(default_factory=dict)

    def issue_certificates(self) -> None:
        """Issue a certificate to each tenant that waits for one."""
        for tenant in self.by_host.values():
            if tenant.certificate == "pending-validation":
                tenant.certificate = "issued"

    def respond(self, operation: str, request: AWSPreparedRequest) -> tuple[int, bytes]:
        """Return the status and body of CloudFront's response."""
        path, query = urlsplit(request.url).path, parse_qs(urlsplit(request.url).query)
        if operation == "CreateDistributionTenant":
            return self._create(request)
        if operation == "ListDistributionTenants":
            return 200, _render_xml("ListDistributionTenantsResult", "")
        name = unquote(path.rsplit("/", 1)[1])
        tenant = self.by_host.get(query["domain"][0] if "domain" in query else name)
        if tenant is None:
            return 404, b"<ErrorResponse><Error><Code>EntityNotFound</Code></Error></ErrorResponse>"
        if operation == "GetManagedCertificateDetails":
            return 200, _certificate_xml(tenant)
        if operation == "DeleteDistributionTenant":
            del self.by_host[tenant.host]
            return 204, b""
        if operation == "UpdateDistributionTenant":
            _update_tenant(tenant, request)
        return 200, _tenant_xml(tenant)

    def _create(self, request: AWSPreparedRequest) -> tuple[int, bytes]:
        host = _get_xml_text(request, "Name")
        if host in self.by_host:
            return 409, (
                b"<ErrorResponse><Error><Code>EntityAlreadyExists</Code></Error></ErrorResponse>"
            )
        self.by_host[host] = FakeTenant(host)
        return 201, _tenant_xml(self.by_host[host])


def _update_tenant(tenant: FakeTenant, request: AWSPreparedRequest) -> None:
    tenant.enabled = _get_xml_text(request, "Enabled") == "true"
    tenant.attached = tenant.attached or bool(_get_xml_text(request, "Arn"))


def _get_xml_text(request: AWSPreparedRequest, name: str) -> str:
    for element in ElementTree.fromstring(_get_body(request)).iter():
        if element.tag.rpartition("}")[2] == name:
            return element.text or ""
    return ""


def _get_body(request: AWSPreparedRequest) -> bytes:
    """Return the body of a request, which botocore builds as bytes."""
    assert isinstance(request.body, bytes)
    return request.body


def _tenant_xml(tenant: FakeTenant) -> bytes:
    attached = f"<Certificate><Arn>{ARN}{tenant.host}</Arn></Certificate>"
    return _render_xml(
        "DistributionTenant",
        f"<Id>{tenant.host}</Id><DistributionId>{DISTRIBUTION}</DistributionId>"
        f"<Name>{tenant.host}</Name><Arn>{tenant.host}</Arn>"
        f"<Domains><member><Domain>{tenant.host}</Domain><Status>active</Status></member></Domains>"
        f"<Customizations>{attached if tenant.attached else ''}</Customizations>"
        f"<ConnectionGroupId>{GROUP}</ConnectionGroupId>"
        f"<Enabled>{str(tenant.enabled).lower()}</Enabled><Status>Deployed</Status>",
    )


def _certificate_xml(tenant: FakeTenant) -> bytes:
    arn = f"<CertificateArn>{ARN}{tenant.host}</CertificateArn>"
    return _render_xml(
        "ManagedCertificateDetails",
        f"{arn if tenant.certificate == 'issued' else ''}"
        f"<CertificateStatus>{tenant.certificate}</CertificateStatus>",
    )


def _render_xml(root: str, inner: str) -> bytes:
    return f"<{root}>{inner}</{root}>".encode()
