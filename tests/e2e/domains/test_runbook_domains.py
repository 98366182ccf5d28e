"""The steps of docs/runbook.md on tracking domains, on an embedded stack with each problem.

Checks use the loopback internet of these tests and save results in the stack's own table, so the
operator's commands and the hosts of messages come from the stack. If the function itself fails, it
calls a fake CloudFront.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http, write_changed_template
from tests.e2e.domains.conftest import DEFAULT_HOST, EDGE_ADDRESS, ENDPOINT, HOST, DomainFixture
from tests.e2e.domains.fake_services import FakeCdn, FakeSenderIdentities
from tests.e2e.domains.internet import WebServer, build_response
from tests.e2e.runbook_operator import Operator, runbook_entry
from waypost.composition import Repositories, TableNames
from waypost.domains.events import DomainEventPublisher
from waypost.domains.service import DomainService
from waypost.domains.verification import DomainVerificationService
from waypost.ids import WorkspaceId, derive_workspace_id
from waypost.models.tracking_domain import STACK_WORKSPACE, CnameTargets, utc_now
from waypost.repositories.dynamodb.client import DynamoClient

ACME = derive_workspace_id("acme")


@pytest.fixture(scope="module")
def module_stack(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(parameters={"DefaultHost": DEFAULT_HOST}) as stack:
        yield stack


@dataclass
class Account:
    """An embedded stack with the DNS and web servers of its domains, and an operator."""

    stack: EmbeddedStack
    world: DomainFixture
    http: Http

    def __post_init__(self) -> None:
        self.operator, self.cdn = Operator(self.stack), FakeCdn(self.world)
        table = self.stack.ref("WorkspacesTable")
        client = cast("DynamoClient", self.stack.cloud.client("dynamodb"))
        repositories = Repositories(client, TableNames(workspaces=table))
        store, workspaces = repositories.domains, repositories.workspaces
        targets = CnameTargets(ENDPOINT, DEFAULT_HOST)
        self.service = DomainService(store, workspaces, targets, DomainEventPublisher(), utc_now)
        self.verifier = DomainVerificationService(
            store,
            workspaces,
            self.world.checker,
            self.cdn,
            FakeSenderIdentities(),
            DomainEventPublisher(),
            targets,
            utc_now,
        )

    def check_domain(self, workspace: WorkspaceId = ACME, host: str = HOST) -> str:
        """Check a domain and return its stage."""
        checked = self.verifier.verify_domain(workspace, host)
        assert checked is not None
        return checked.stage

    def bring_to_https(self, workspace: WorkspaceId, host: str) -> None:
        self.check_domain(workspace, host)
        self.cdn.set_certificate_status(host)
        self.check_domain(workspace, host)
        assert self.check_domain(workspace, host) == "https"

    def list_by_stage(self, stage: str) -> list[dict[str, Any]]:
        """List the domains of all workspaces in a stage, as the runbook does."""
        page = self.operator.client("dynamodb").scan(
            TableName=self.stack.ref("WorkspacesTable"),
            FilterExpression="contains(#domain, :stage)",
            ExpressionAttributeNames={"#domain": "domain"},
            ExpressionAttributeValues={":stage": {"S": f'"stage": "{stage}"'}},
        )
        return [json.loads(item["domain"]["S"]) for item in page["Items"]]

    def rewrite_link(self) -> str:
        """Rewrite a message now and return its link."""
        message = {
            "workspace": "acme",
            "campaign": "spring-sale",
            "kind": "campaign",
            "channel": "email",
            "from": "news@acme.com",
            "content": {"html": '<a href="https://acme.example/shop">shop</a>'},
            "recipients": [{"delivery": "d", "person": "p"}],
        }
        response = self.http("POST", f"{self.stack.url}/v1/rewrite", body=message)
        assert response.status == 200, response
        (link,) = re.findall(r'href="([^"]+)"', response.json()["deliveries"][0]["content"]["html"])
        return str(link)

    def deploy(self, default_host: str) -> None:
        """Change ``DefaultHost`` of the rewrite function, as a deploy does."""
        function = self.stack._function_pools.pools["RewriteFunction"].function
        function.environment["DEFAULT_HOST"] = default_host
        self.stack.recycle("RewriteFunction")


@pytest.fixture
def account(module_stack: EmbeddedStack, world: DomainFixture, http: Http) -> Account:
    return Account(module_stack, world, http)


@runbook_entry("Domain fell back")
def test_runbook_domain_fell_back_recovers_when_its_dns_record_is_restored(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    world, acme = account.world, ("--workspace", "acme", "--host", HOST)
    account.operator.run_tool("domains", "add", *acme)
    world.add_cname()
    account.bring_to_https(ACME, HOST)
    assert account.rewrite_link().startswith(f"https://{HOST}/e/c/")

    for zones in (world.dns, *world.nameservers):
        del zones.records[HOST, "CNAME"]
    assert [account.check_domain(), account.check_domain()] == ["https", "fallen_back"]
    assert '"DomainFellBack":1' in capsys.readouterr().out
    (fallen,) = account.list_by_stage("fallen_back")
    assert (fallen["workspace_name"], fallen["host"]) == ("acme", HOST)
    output = account.operator.run_tool("domains", "list", "--workspace", "acme")
    assert output.startswith(f"{HOST}  fallen_back, on; new messages do not use it\n")
    assert "✗ dns" in output
    assert f"→ Add at your DNS provider: {HOST} CNAME {DEFAULT_HOST}." in output
    assert account.rewrite_link().startswith(f"{account.stack.url}/e/c/")

    world.add_cname()
    assert account.check_domain() == "https"
    assert account.rewrite_link().startswith(f"https://{HOST}/e/c/")
    account.operator.run_tool("domains", "remove", *acme)


@runbook_entry("Default host failed")
def test_runbook_messages_can_use_the_api_address_while_the_default_host_fails(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.service.ensure_default_host()
    account.bring_to_https(STACK_WORKSPACE, DEFAULT_HOST)
    assert account.rewrite_link().startswith(f"https://{DEFAULT_HOST}/e/c/")

    account.world.internet.close_at(EDGE_ADDRESS, 443)
    account.check_domain(STACK_WORKSPACE, DEFAULT_HOST)
    assert '"DefaultHostFailed":1' in capsys.readouterr().out
    output = account.operator.run_tool("domains", "list")
    assert output.startswith(f"{DEFAULT_HOST}  https, on; ")  # the default host never falls back
    assert "✗ https   a certificate, and no connection (Connection refused)" in output
    account.deploy(default_host="")
    assert account.rewrite_link().startswith(f"{account.stack.url}/e/c/")

    account.world.serve_https(EDGE_ADDRESS, DEFAULT_HOST)
    assert account.check_domain(STACK_WORKSPACE, DEFAULT_HOST) == "https"
    assert "DefaultHostFailed" not in capsys.readouterr().out
    account.deploy(DEFAULT_HOST)
    assert account.rewrite_link().startswith(f"https://{DEFAULT_HOST}/e/c/")


@dataclass
class FakeCloudFront:
    """A CloudFront with a number of tenants; lookups by host find none, or are denied."""

    tenants: int = 0
    denies: bool = False
    requests: list[str] = field(default_factory=list)

    def respond(self, path: str) -> bytes:
        self.requests.append(path)
        if self.denies:
            return _xml("403 Forbidden", _error("AccessDenied"))
        if not path.endswith("/distribution-tenants"):
            return _xml("404 Not Found", _error("EntityNotFound"))
        summaries = (
            "<DistributionTenantSummary><Id>dt</Id></DistributionTenantSummary>" * self.tenants
        )
        inner = f"<DistributionTenantList>{summaries}</DistributionTenantList>"
        return _xml(
            "200 OK", f"<ListDistributionTenantsResult>{inner}</ListDistributionTenantsResult>"
        )

    @contextmanager
    def stack(self, folder: Path, **parameters: str) -> Iterator[EmbeddedStack]:
        """Start a stack whose domain checks call this CloudFront."""
        web = WebServer(self.respond)
        folder.mkdir()
        variable = "          DISTRIBUTION: "
        endpoint = f"          AWS_ENDPOINT_URL_CLOUDFRONT: http://127.0.0.1:{web.port}\n"
        template = write_changed_template(
            folder, "  VerifyDomainsFunction:", variable, endpoint + variable
        )
        try:
            with EmbeddedStack(template, parameters=parameters) as stack:
                yield stack
        finally:
            web.close()


def _error(code: str) -> str:
    return f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"


def _xml(status: str, body: str) -> bytes:
    return build_response(status, body.encode(), Content_Type="text/xml")


@runbook_entry("Domain checks broke")
def test_runbook_failed_domain_check_is_logged_and_repeated_by_the_next_run(
    tmp_path: Path, socket_enabled: None, no_aws_settings: None
) -> None:
    cloudfront = FakeCloudFront(denies=True)
    acme = ("--workspace", "acme", "--host", HOST)
    with cloudfront.stack(tmp_path / "stack") as stack:
        operator = Operator(stack)
        operator.run_tool("domains", "add", *acme)
        operator.run_tool(
            "domains", "remove", *acme
        )  # the next check asks CloudFront for the tenant
        assert stack.run_schedule("VerifyDomainsFunction.Due")
        assert operator.count_metric('"DomainCheckBroke":1') == 1
        assert re.search(rf'"domain not checked".*{HOST}: ', stack.log_text())
        assert "removed" in operator.run_tool("domains", "list", "--workspace", "acme")  # unchanged

        cloudfront.denies = False
        assert stack.run_schedule("VerifyDomainsFunction.Due")
        assert operator.count_metric('"DomainCheckBroke":1') == 1
        assert (
            operator.run_tool("domains", "list", "--workspace", "acme")
            == "no tracking domain yet\n"
        )


@runbook_entry("Domain quotas")
def test_runbook_quota_percentages_fall_when_the_parameters_are_raised(
    tmp_path: Path, socket_enabled: None, no_aws_settings: None
) -> None:
    def measure_quotas(**parameters: str) -> list[str]:
        with FakeCloudFront(tenants=4).stack(
            tmp_path / "-".join(parameters.values()), **parameters
        ) as stack:
            acm = stack.cloud.client("acm")
            for number in range(4):
                acm.request_certificate(DomainName=f"links.customer-{number}.example")
            (outcome,) = stack.run_schedule("VerifyDomainsFunction.Quotas").values()
            assert outcome.error is None, stack.log_text()
            return re.findall(r'"(?:Tenant|Certificate)QuotaPercent":\d+', stack.log_text())

    used_up = ['"TenantQuotaPercent":80', '"CertificateQuotaPercent":80']
    assert measure_quotas(TenantQuota="5", CertificateQuota="5") == used_up
    raised = ['"TenantQuotaPercent":40', '"CertificateQuotaPercent":4']
    assert measure_quotas(TenantQuota="10", CertificateQuota="100") == raised
