"""CloudFront: requests that match its service model, and the handling of responses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tests.unit.domains.builders import HOST
from waypost.domains.certificates import CdnTenant
from waypost.domains.cloudfront import (
    AccountQuotas,
    CloudFrontTenants,
    QuotaUsage,
    build_tenant_name,
    load_quota_usage,
)
from waypost.errors import CdnRequestRejected, HostnameInUse, StoreUnavailable, WriteConflict

DISTRIBUTION, GROUP, TENANT = "E1MULTITENANT", "cg_1", "dt_1"
ARN = "arn:aws:acm:us-east-1:123456789012:certificate/1b2c3d4e"
REQUEST = {"ValidationTokenHost": "cloudfront", "PrimaryDomainName": HOST}


@pytest.fixture
def client() -> Any:
    return boto3.client(
        "cloudfront",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def cdn(client: Any) -> CloudFrontTenants:
    return CloudFrontTenants(client, DISTRIBUTION, GROUP)


def build_tenant_response(**changes: object) -> dict[str, Any]:
    tenant_fields = {
        "Id": TENANT,
        "DistributionId": DISTRIBUTION,
        "Name": HOST,
        "Arn": f"arn:aws:cloudfront::123456789012:distribution-tenant/{TENANT}",
        "Domains": [{"Domain": HOST, "Status": "inactive"}],
        "ConnectionGroupId": GROUP,
        "Enabled": True,
        "Status": "Deployed",
    }
    return {"DistributionTenant": tenant_fields | changes, "ETag": "tag-1"}


def stub_tenant_lookup(stub: Stubber, **changes: object) -> None:
    stub.add_response(
        "get_distribution_tenant_by_domain", build_tenant_response(**changes), {"Domain": HOST}
    )


def stub_certificate_details(stub: Stubber, status: str, arn: str | None = ARN) -> None:
    details = {"CertificateStatus": status, "ValidationTokenHost": "cloudfront"}
    stub.add_response(
        "get_managed_certificate_details",
        {"ManagedCertificateDetails": details | ({"CertificateArn": arn} if arn else {})},
        {"Identifier": TENANT},
    )


def stub_tenant_update(stub: Stubber, **changes: object) -> None:
    """Stub an update whose request repeats every field of the tenant, with ``changes``."""
    unchanged = {
        "Id": TENANT,
        "IfMatch": "tag-1",
        "DistributionId": DISTRIBUTION,
        "ConnectionGroupId": GROUP,
        "Domains": [{"Domain": HOST}],
        "Enabled": True,
    }
    stub.add_response("update_distribution_tenant", build_tenant_response(), unchanged | changes)


def stub_error(stub: Stubber, operation: str, code: str) -> None:
    stub.add_client_error(operation, code, "no")


def test_tenant_is_created_enabled_with_a_certificate_request(
    cdn: CloudFrontTenants, stub: Stubber
) -> None:
    stub.add_response(
        "create_distribution_tenant",
        build_tenant_response(),
        {
            "DistributionId": DISTRIBUTION,
            "ConnectionGroupId": GROUP,
            "Name": HOST,
            "Domains": [{"Domain": HOST}],
            "ManagedCertificateRequest": REQUEST,
            "Enabled": True,
        },
    )
    cdn.create_tenant(HOST)


@pytest.mark.parametrize("code", ["EntityNotFound", "404"])
def test_host_unknown_to_cloudfront_has_no_tenant(
    cdn: CloudFrontTenants, stub: Stubber, code: str
) -> None:
    stub_error(stub, "get_distribution_tenant_by_domain", code)
    assert cdn.get_tenant(HOST) is None


@pytest.mark.parametrize(
    ("tenant_fields", "status", "expected"),
    [
        ({}, "pending-validation", CdnTenant("pending-validation", False, True)),
        ({}, "issued", CdnTenant("issued", False, True)),
        (
            {"Customizations": {"Certificate": {"Arn": ARN}}},
            "issued",
            CdnTenant("issued", True, True),
        ),
        (
            {"Customizations": {"Certificate": {"Arn": ARN + "0"}}},
            "issued",
            CdnTenant("issued", False, True),
        ),
        ({"Enabled": False}, "failed", CdnTenant("failed", False, False)),
    ],
)
def test_tenant_state_includes_certificate_status_attachment_and_enablement(
    cdn: CloudFrontTenants,
    stub: Stubber,
    tenant_fields: dict[str, object],
    status: str,
    expected: CdnTenant,
) -> None:
    stub_tenant_lookup(stub, **tenant_fields)
    stub_certificate_details(stub, status)
    assert cdn.get_tenant(HOST) == expected


def test_tenant_without_a_certificate_has_certificate_status_none(
    cdn: CloudFrontTenants, stub: Stubber
) -> None:
    stub_tenant_lookup(stub)
    stub_error(stub, "get_managed_certificate_details", "EntityNotFound")
    assert cdn.get_tenant(HOST) == CdnTenant("none", False, True)


def test_tenant_of_another_distribution_is_rejected_and_not_changed(
    cdn: CloudFrontTenants, stub: Stubber
) -> None:
    stub_tenant_lookup(stub, DistributionId="E2OTHER")
    with pytest.raises(HostnameInUse, match="another CloudFront distribution"):
        cdn.remove_tenant(HOST)


def test_issued_certificate_is_attached_with_the_newest_etag(
    cdn: CloudFrontTenants, stub: Stubber
) -> None:
    stub_tenant_lookup(stub)
    stub_certificate_details(stub, "issued")
    stub_tenant_lookup(stub)
    stub_tenant_update(stub, Customizations={"Certificate": {"Arn": ARN}})
    cdn.attach_certificate(HOST)


def test_attaching_a_certificate_keeps_other_customizations_of_the_tenant(
    cdn: CloudFrontTenants, stub: Stubber
) -> None:
    geo_restrictions = {"GeoRestrictions": {"RestrictionType": "none"}}
    stub_tenant_lookup(stub, Customizations=geo_restrictions)
    stub_certificate_details(stub, "issued")
    stub_tenant_lookup(stub, Customizations=geo_restrictions)
    stub_tenant_update(stub, Customizations=geo_restrictions | {"Certificate": {"Arn": ARN}})
    cdn.attach_certificate(HOST)


def test_certificate_request_updates_an_existing_tenant(
    cdn: CloudFrontTenants, stub: Stubber
) -> None:
    stub_tenant_lookup(stub)
    stub_tenant_update(stub, ManagedCertificateRequest=REQUEST)
    cdn.request_certificate(HOST)


def test_tenant_removal_disables_then_waits_then_deletes(
    cdn: CloudFrontTenants, stub: Stubber
) -> None:
    with_certificate = {"Certificate": {"Arn": ARN}}
    stub_tenant_lookup(stub, Customizations=with_certificate)
    stub_tenant_update(stub, Enabled=False, Customizations=with_certificate)
    assert cdn.remove_tenant(HOST) is False
    stub_tenant_lookup(stub, Enabled=False, Status="InProgress")
    assert cdn.remove_tenant(HOST) is False
    stub_tenant_lookup(stub, Enabled=False)
    stub.add_response("delete_distribution_tenant", {}, {"Id": TENANT, "IfMatch": "tag-1"})
    assert cdn.remove_tenant(HOST) is True
    stub_error(stub, "get_distribution_tenant_by_domain", "EntityNotFound")
    assert cdn.remove_tenant(HOST) is True


def test_disabled_tenant_can_be_enabled_again(cdn: CloudFrontTenants, stub: Stubber) -> None:
    stub_tenant_lookup(stub, Enabled=False)
    stub_tenant_update(stub, Enabled=True)
    cdn.enable_tenant(HOST)


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ("CNAMEAlreadyExists", CdnRequestRejected, "another CloudFront distribution"),
        ("EntityLimitExceeded", CdnRequestRejected, "quota"),
        ("InvalidArgument", CdnRequestRejected, "does not accept"),
        ("AccessDenied", CdnRequestRejected, "policy"),
        ("EntityAlreadyExists", WriteConflict, HOST),
        ("EntityNotFound", StoreUnavailable, "EntityNotFound"),  # no such distribution or group
        ("Throttling", StoreUnavailable, "Throttling"),
        ("ServiceUnavailable", StoreUnavailable, "ServiceUnavailable"),
    ],
)
def test_cloudfront_error_code_becomes_a_readable_error(
    cdn: CloudFrontTenants, stub: Stubber, code: str, error: type[Exception], message: str
) -> None:
    stub_error(stub, "create_distribution_tenant", code)
    with pytest.raises(error, match=message):
        cdn.create_tenant(HOST)


def test_tenant_changed_concurrently_raises_a_write_conflict(
    cdn: CloudFrontTenants, stub: Stubber
) -> None:
    stub_tenant_lookup(stub)
    stub_error(stub, "update_distribution_tenant", "PreconditionFailed")
    with pytest.raises(WriteConflict):
        cdn.request_certificate(HOST)


@pytest.mark.parametrize("host", ["a.b.co", "links.acme.com", ".".join(["a" * 60] * 4)])
def test_tenant_name_is_valid_for_cloudfront(client: Any, host: str) -> None:
    name = build_tenant_name(host)
    shape = client.meta.service_model.shape_for("CreateDistributionTenantRequest")
    assert len(name) <= 128
    assert name[-1].isalnum()
    assert name.replace(".", "").replace("-", "").isalnum()
    assert shape.members["Name"].type_name == "string"


def test_quota_usage_counts_every_page_of_tenants_and_certificates(
    client: Any, stub: Stubber
) -> None:
    acm = boto3.client(
        "acm", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    summary = {
        "Id": TENANT,
        "DistributionId": DISTRIBUTION,
        "Name": HOST,
        "Arn": "arn",
        "Domains": [],
        "CreatedTime": 0,
        "LastModifiedTime": 0,
        "ETag": "tag-1",
    }
    stub.add_response(
        "list_distribution_tenants", {"DistributionTenantList": [summary] * 3, "NextMarker": "m"}
    )
    stub.add_response("list_distribution_tenants", {"DistributionTenantList": [summary]})
    with Stubber(acm) as certificates:
        page = {"CertificateSummaryList": [{"CertificateArn": ARN}] * 2}
        certificates.add_response("list_certificates", page | {"NextToken": "t"})
        certificates.add_response("list_certificates", page)
        assert load_quota_usage(client, acm) == QuotaUsage(4, 4)


def test_quota_usage_is_emitted_as_percent_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    QuotaUsage(8_000, 2_499).emit_metrics(AccountQuotas(10_000, 2_500))
    tenants, certificates = capsys.readouterr().out.splitlines()
    assert '"TenantQuotaPercent":80' in tenants
    assert '"CertificateQuotaPercent":99' in certificates
