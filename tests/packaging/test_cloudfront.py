"""Test the CloudFront resources of the template: one distribution for all tracking hosts."""

import json
import re
import shutil
import subprocess
from typing import Any

import botocore.session
import pytest

from tests.packaging.sam_build import RESOURCES, list_resources, list_statements

CONFIG: dict[str, Any] = RESOURCES["Distribution"]["Properties"]["DistributionConfig"]
BEHAVIOUR: dict[str, Any] = CONFIG["DefaultCacheBehavior"]
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
IN_CLOUDFORMATION = {"IsIPV6Enabled": "IPV6Enabled", "IAMCertificateId": "IamCertificateId"}
NODE = shutil.which("node")


def list_fields_refused_for_tenants(shape: str) -> set[str]:
    """List the fields that CloudFront's service model excludes for multi-tenant distributions."""
    model: Any = botocore.session.get_session().get_service_model("cloudfront")
    members = model.shape_for(shape).members
    says = re.compile("can't specify this field for multi-tenant|use a connection group instead")
    fields = {name for name, member in members.items() if says.search(member.documentation)}
    assert fields, shape
    return {IN_CLOUDFORMATION.get(name, name) for name in fields} - {"TenantConfig"}


def test_every_host_is_a_tenant_of_one_distribution():
    assert CONFIG["ConnectionMode"] == "tenant-only"
    assert list(list_resources("AWS::CloudFront::Distribution")) == ["Distribution"]
    assert (
        list_resources("AWS::CloudFront::DistributionTenant") == {}
    )  # the verify function creates them


@pytest.mark.parametrize(
    ("shape", "config"),
    [
        ("DistributionConfig", CONFIG),
        ("DefaultCacheBehavior", BEHAVIOUR),
        ("ViewerCertificate", CONFIG["ViewerCertificate"]),
    ],
)
def test_distribution_has_no_field_that_cloudfront_refuses_for_tenants(shape, config):
    assert not list_fields_refused_for_tenants(shape) & set(config)


def test_plain_http_is_served_and_nothing_is_cached():
    assert BEHAVIOUR["ViewerProtocolPolicy"] == "allow-all"
    assert BEHAVIOUR["CachePolicyId"] == CACHING_DISABLED
    assert BEHAVIOUR["AllowedMethods"] == ["GET", "HEAD"]


def test_server_errors_are_not_cached():
    """CloudFront obeys the origin's no-store for 404, 410, 414 and 501 without configuration."""
    kept = {
        each["ErrorCode"]: each["ErrorCachingMinTTL"] for each in CONFIG["CustomErrorResponses"]
    }
    assert kept == dict.fromkeys((500, 502, 503, 504), 0)
    assert not [each for each in CONFIG["CustomErrorResponses"] if "ResponsePagePath" in each]


def test_distribution_serves_http3_and_requires_tls_1_2():
    assert CONFIG["HttpVersion"] == "http2and3"
    assert CONFIG["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    (origin,) = CONFIG["Origins"]
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert origin["CustomOriginConfig"]["OriginSSLProtocols"] == ["TLSv1.2"]


def test_response_headers_never_force_https():
    policy = RESOURCES["SecurityHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]
    assert BEHAVIOUR["ResponseHeadersPolicyId"] == {"Ref": "SecurityHeaders"}
    assert "ContentTypeOptions" in policy["SecurityHeadersConfig"]
    assert "StrictTransportSecurity" not in policy["SecurityHeadersConfig"]
    assert "strict-transport-security" not in json.dumps(policy).lower()


@pytest.mark.skipif(NODE is None, reason="node is not installed; CloudFront's function needs it")
def test_viewer_function_sets_the_host_and_time_headers():
    code = RESOURCES["ViewerFunction"]["Properties"]["FunctionCode"]
    forged = {"host": {"value": "links.acme.com"}, "x-waypost-host": {"value": "evil.example"}}
    event = {"request": {"method": "GET", "uri": "/e/c/a/b", "headers": forged}}
    script = f"{code}\nconsole.log(JSON.stringify(handler({json.dumps(event)})))"
    ran = subprocess.run([str(NODE), "-e", script], capture_output=True, text=True, check=True)
    request = json.loads(ran.stdout)
    assert request["uri"] == "/e/c/a/b"
    assert request["headers"]["host"] == {"value": "links.acme.com"}
    assert request["headers"]["x-waypost-host"] == {"value": "links.acme.com"}
    assert re.fullmatch(r"\d{13}", request["headers"]["x-waypost-time"]["value"])


def test_headers_of_the_viewer_function_are_forwarded_to_the_origin():
    headers = RESOURCES["OriginRequests"]["Properties"]["OriginRequestPolicyConfig"][
        "HeadersConfig"
    ]
    assert headers["HeaderBehavior"] == "whitelist"
    assert {"X-Waypost-Host", "X-Waypost-Time"} <= set(headers["Headers"])
    assert len(headers["Headers"]) <= 10  # CloudFront's quota


def test_only_the_verify_function_has_cloudfront_permissions():
    able = {
        function
        for function in list_resources("AWS::Serverless::Function")
        for statement in list_statements(function)
        for action in statement["Action"]
        if action.startswith("cloudfront:")
    }
    assert able == {"VerifyDomainsFunction"}


def test_verify_function_knows_the_distribution_and_its_endpoint():
    variables = RESOURCES["VerifyDomainsFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["DISTRIBUTION"] == {"Fn::GetAtt": ["Distribution", "Id"]}
    assert variables["CONNECTION_GROUP"] == {"Fn::GetAtt": ["ConnectionGroup", "Id"]}
    assert variables["EDGE_ENDPOINT"] == {"Fn::GetAtt": ["ConnectionGroup", "RoutingEndpoint"]}
