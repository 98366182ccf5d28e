"""Test that each function needs exactly the permissions of its role.

A scenario uses every feature of a stack, and moto records the permissions that the functions used.
UNTESTED lists the others, each with the reason.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from local.iam_policies import PermissionUse, PolicyStatement, parse_policy
from local.stack import TEMPLATE, EmbeddedStack
from tests.e2e.conftest import Http
from tests.e2e.role_policies import load_role_policy, remove_statement
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.models.campaign import PersonalRecord, recipient_hash
from waypost.models.recipient import MAX_INLINE_CLICKS

BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15"
HREF = "https://example.com/?q=" + Random(1).randbytes(1_500).hex()  # does not fit into a link
MAIL = {
    "workspace": "w",
    "campaign": "c",
    "from": "news@acme.example",
    "content": {"html": '<a href="https://example.com/a">a</a>'},
    "recipients": [{"delivery": "d1", "person": "p", "data": {}}],
}
MESSAGE = f'<a href="https://example.com/a">a</a> <a href="{HREF}">b</a>'
Without: TypeAlias = Callable[[str, str], None]

LAMBDA = "Lambda itself uses it, for the event source or its failure destination"
LOGS = "output of functions is not sent to CloudWatch Logs here"
NO_TENANTS = "moto does not support distribution tenants"
NO_DNS = "a check calls it only if DNS points at the stack: tests/e2e/domains"
FOR_CLOUDFRONT = "CloudFront uses it for the caller that creates a tenant"
DOMAINS = "VerifyDomainsFunction"
FUNCTIONS = (
    *("RedirectFunction", "TallyFunction", "DrainFunction", "RewriteFunction"),
    *("ApiFunction", "PagesFunction", DOMAINS),
)

UNTESTED = {
    **dict.fromkeys(
        (
            (function, f"logs:{action}")
            for function in FUNCTIONS
            for action in ("CreateLogStream", "PutLogEvents")
        ),
        LOGS,
    ),
    ("TallyFunction", "dynamodb:ListStreams"): LAMBDA,
    ("TallyFunction", "s3:ListBucket"): LAMBDA,
    (DOMAINS, "cloudfront:CreateDistributionTenant"): NO_TENANTS,
    (DOMAINS, "cloudfront:DeleteDistributionTenant"): NO_TENANTS,
    (DOMAINS, "cloudfront:GetDistributionTenantByDomain"): NO_TENANTS,
    (DOMAINS, "cloudfront:GetManagedCertificateDetails"): NO_TENANTS,
    (DOMAINS, "cloudfront:ListDistributionTenants"): NO_TENANTS,
    (DOMAINS, "cloudfront:UpdateDistributionTenant"): NO_TENANTS,
    (DOMAINS, "acm:ListCertificates"): NO_TENANTS,  # only called after ListDistributionTenants
    (DOMAINS, "acm:DescribeCertificate"): FOR_CLOUDFRONT,
    (DOMAINS, "acm:RequestCertificate"): FOR_CLOUDFRONT,
    (DOMAINS, "events:PutEvents"): NO_DNS,
    (DOMAINS, "secretsmanager:GetSecretValue"): NO_DNS,
}
CALLED_BY_DOMAINS_CODE = {NO_TENANTS, NO_DNS}


class Scenario:
    """A scenario of a stack: one method per feature."""

    def __init__(self, stack: EmbeddedStack, http: Http, workspace: str = "life") -> None:
        self.stack, self.http, self.workspace = stack, http, workspace
        self.path = f"/v1/workspaces/{workspace}"

    def ask(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        answer = self.http(method, self.stack.url + path, body=body)
        assert answer.status == status, (method, path, answer, self.stack.log_text()[-3_000:])
        return answer

    def send(self, content: dict[str, str], **more: Any) -> list[str]:
        """Rewrite one person's message and return its links."""
        body = {
            "workspace": self.workspace,
            "campaign": "c",
            "from": "news@acme.example",
            "content": content,
            "recipients": [{"delivery": "d1", "person": "ada", "data": {}}],
        }
        answer = self.ask("POST", "/v1/rewrite", body | more).json()
        (sent,) = answer["deliveries"][0]["content"].values()
        return re.findall(r"https?://[\w.:]+/(?:e|s)/[\w/-]+", html.unescape(sent))

    def follow(self, link: str, status: int = 302) -> None:
        url = self.stack.url + urlsplit(link).path
        assert self.http("GET", url, {"user-agent": BROWSER}).status == status

    def claim_name(self) -> None:
        """Send the first message of a workspace, which claims its name."""
        self.send({"html": MESSAGE}, workspace="new")

    def mail(self) -> None:
        self.ask("PUT", f"{self.path}/settings", {"shorten": {"sms": True}, "track_opens": True})
        links = self.send({"html": MESSAGE}, idempotency_key="k")
        self.send({"html": MESSAGE}, idempotency_key="k")
        for link in links:
            self.follow(link, 200 if "/e/o/" in link else 302)
        (short,) = self.send({"text": "Sale: https://example.com/s"}, campaign="t", channel="sms")
        self.follow(short)
        assert self.stack.wait_until_counted()

    def opt_out_and_erase(self) -> None:
        """Opt a person out and in again, with clicks, then erase the person."""
        person = f"{self.path}/people/ada"
        (link, *_) = self.send({"html": MESSAGE}, campaign="left")
        self.share_destination()
        self.record_short_link_without_expiry()
        assert self.ask("PUT", f"{person}/opt-out").json()["opted_out"]
        self.follow(link)
        assert self.stack.wait_until_counted()
        assert self.ask("GET", f"{person}/opt-out").json()["opted_out"]
        assert not self.ask("DELETE", f"{person}/opt-out?person=ada").json()["opted_out"]
        for _ in range(MAX_INLINE_CLICKS + 1):  # more clicks than a recipient row contains
            self.follow(link)
        assert self.stack.wait_until_counted()
        exported = self.ask("GET", f"{person}/export").body.decode()
        assert '"record": "click"' in exported
        assert '"record": "destination"' in exported
        before = self.ask("GET", f"{self.path}/campaigns").json()
        erased = self.ask(
            "DELETE", f"{person}?person=ada", status=202
        ).json()  # erases again after late tallies
        assert (erased["clicks"] > 2, erased["campaigns"] > 1) == (True, True)
        assert 0 < erased["again_in"] <= 90
        assert self.ask("GET", f"{self.path}/campaigns").json() == before
        self.ask("GET", f"{person}/activity", status=404)

    def share_destination(self) -> None:
        """Send a message with a long destination to two people, one after the other."""
        html = f'<a href="{HREF}&shared=1">b</a>'
        for person in ("ada", "ben"):
            recipients = [{"delivery": f"d-{person}", "person": person}]
            self.send({"html": html}, campaign="shared", recipients=recipients)

    def record_short_link_without_expiry(self) -> None:
        """Store the record of a short link of ada, long ago."""
        campaign = derive_campaign_id(self.workspace, "left")
        recipient = recipient_hash(derive_workspace_id(self.workspace), "p:ada")
        record = PersonalRecord(campaign=campaign, recipient=recipient, written=0, codes=["x"])
        self.stack.cloud.client("dynamodb").put_item(
            TableName=self.stack.ref("CampaignsTable"), Item=record.to_item()
        )

    def report(self) -> None:
        campaign = f"{self.path}/campaigns/c"
        figures = self.ask("GET", campaign).json()
        assert figures["clicks"]["total"] == 2
        link = figures["links"][0]["link"]
        for path in (
            f"{self.path}/campaigns",
            f"{campaign}/links",
            f"{campaign}/series",
            f"{self.path}/links/{link}/people",
            f"{self.path}/links/{link}/people.csv",
            f"{self.path}/people/ada/activity",
            f"{self.path}/settings",
        ):
            self.ask("GET", path)
        self.open_pages(link)

    def open_pages(self, link: str) -> None:
        """Open every report page with a share link."""
        share = self.ask("POST", f"{self.path}/shares", {"people": True}, 201).json()["url"]
        entered = self.http("GET", share)
        cookie = {"cookie": entered.headers["set-cookie"].partition(";")[0]}
        queries = {
            "workspace": "",
            "campaign": "&campaign=c",
            "map": "&campaign=c",
            "message": "&campaign=c",
            "link": f"&campaign=c&link={link}",
            "person": "&person=ada",
            "domains": "",
            "settings": "",
        }
        for page, query in queries.items():
            url = f"{self.stack.url}/reports/{page}?workspace={self.workspace}{query}"
            assert self.http("GET", url, cookie).status == 200, page

    def use_domain(self) -> None:
        domains = f"{self.path}/domains"
        self.ask("POST", domains, {"host": "links.life.example"}, 201)
        self.ask("GET", domains)
        self.ask("POST", f"{domains}/links.life.example/verify")
        self.ask("POST", f"{domains}/links.life.example", {"reverted": True})
        self.ask("DELETE", f"{domains}/links.life.example?host=links.life.example")
        self.ask("POST", f"{domains}/links.life.example/verify")
        assert self.stack.invoke("VerifyDomainsFunction", {"task": "due"}).error is None
        self.http("GET", f"{self.stack.url}/.well-known/waypost/{'a' * 32}")

    def store_invalid_record(self) -> None:
        """Store an invalid record, which the tally moves to the failure bucket in the end."""
        item = {"pk": {"S": "W#somebody"}, "sk": {"S": "else"}}
        self.stack.cloud.client("dynamodb").put_item(
            TableName=self.stack.ref("ClicksTable"), Item=item
        )
        assert self.stack.wait_until_counted()
        s3 = self.stack.cloud.client("s3")
        assert s3.list_objects_v2(Bucket=self.stack.ref("StreamFailures"))["KeyCount"] == 1

    def click_without(self, function: str, sid: str, without: Without) -> None:
        """Click without a permission to store; the click is queued and drained."""
        (link, *_) = self.send({"html": MESSAGE}, campaign="parked")
        without(function, sid)
        self.follow(link)
        assert self.stack.wait_until_counted()
        report = self.ask("GET", f"{self.path}/campaigns/parked").json()
        assert report["clicks"]["total"] == 1


@pytest.fixture(scope="module")
def scenario_stack(no_aws_settings: None) -> Iterator[EmbeddedStack]:
    with EmbeddedStack() as running:
        yield running


@pytest.fixture
def scenario(scenario_stack: EmbeddedStack, http: Http) -> Scenario:
    return Scenario(scenario_stack, http)


@pytest.fixture
def without(scenario_stack: EmbeddedStack) -> Iterator[Without]:
    """Return ``without(function, sid)``: it removes a statement from a role until the test ends."""
    restore_functions: list[Callable[[], None]] = []

    def remove(function: str, sid: str) -> None:
        restore_functions.append(remove_statement(scenario_stack, function, sid))

    yield remove
    for restore in reversed(restore_functions):
        restore()


def list_granted(stack: EmbeddedStack) -> set[tuple[str, str, str]]:
    """List all permissions: function, statement, action."""
    return {
        (function, statement.sid, action)
        for function in FUNCTIONS
        for statement in list_statements(stack, function)
        for action in statement.actions
    }


def list_statements(stack: EmbeddedStack, function: str) -> tuple[PolicyStatement, ...]:
    return parse_policy(json.dumps(load_role_policy(stack, function)["PolicyDocument"]))


def list_used(stack: EmbeddedStack) -> set[tuple[str, str, str]]:
    return {
        (get_function_id(use), use.sid, use.action)
        for use in stack.cloud.load_permission_report().used
    }


def get_function_id(use: PermissionUse) -> str:
    return use.role.removeprefix("waypost-local-").removesuffix("Role")


def test_stack_uses_every_granted_permission_and_is_denied_none(
    scenario: Scenario, scenario_stack: EmbeddedStack, without: Without
) -> None:
    scenario.claim_name()
    scenario.mail()
    scenario.report()
    scenario.use_domain()
    scenario.opt_out_and_erase()
    scenario.store_invalid_record()
    assert not scenario_stack.cloud.load_permission_report().denied
    scenario.click_without("RedirectFunction", "StoreClick", without)
    unused = {
        (function, action)
        for function, _, action in list_granted(scenario_stack) - list_used(scenario_stack)
    }
    assert unused == set(UNTESTED)


@pytest.mark.parametrize(
    "action", sorted(a for (_, a), why in UNTESTED.items() if why in CALLED_BY_DOMAINS_CODE)
)
def test_action_unknown_to_moto_is_called_by_the_domains_code(action: str) -> None:
    method = re.sub(r"(?<!^)(?=[A-Z])", "_", action.partition(":")[2]).lower()
    folder = TEMPLATE.parent / "layers/waypost/waypost"
    code = [*(folder / "domains").rglob("*.py"), folder / "tokens/keyring.py"]
    assert any(method in module.read_text() for module in code)


@pytest.mark.parametrize(
    ("function", "sid", "method", "path", "body"),
    [
        ("RewriteFunction", "RegisterCampaignsAndLinks", "POST", "/v1/rewrite", MAIL),
        ("ApiFunction", "ReadReports", "GET", "/v1/workspaces/w/campaigns/c", None),
        ("ApiFunction", "ReadActivity", "GET", "/v1/workspaces/w/people/p/activity", None),
        ("ApiFunction", "StoreSettingsDomainsAndOptOuts", "GET", "/v1/workspaces/w/settings", None),
        (
            "VerifyDomainsFunction",
            "StoreDomains",
            "POST",
            "/v1/workspaces/w/domains/x/verify",
            None,
        ),
    ],
)
def test_function_fails_without_a_required_permission(
    scenario_stack: EmbeddedStack, http: Http, without: Without,
    function: str, sid: str, method: str, path: str, body: object,
) -> None:  # fmt: skip
    assert http(method, scenario_stack.url + path, body=body).status in (200, 404)
    without(function, sid)
    assert http(method, scenario_stack.url + path, body=body).status >= 500
    assert function in {denial.role.split("-")[2].removesuffix("Role")
                        for denial in scenario_stack.cloud.load_permission_report().denied
                        }  # fmt: skip


def test_permission_missing_in_the_template_is_denied(tmp_path: Path, http: Http) -> None:
    text = TEMPLATE.read_text("utf-8")
    statement = text.index("- Sid: RegisterCampaignsAndLinks")
    lines = text[:statement], text[statement:].replace("- dynamodb:UpdateItem", "", 1)
    (tmp_path / "template.yaml").write_text("".join(lines), "utf-8")
    for name in ("functions", "layers"):
        (tmp_path / name).symlink_to(TEMPLATE.parent / name)
    with EmbeddedStack(tmp_path / "template.yaml") as lacking:
        answer = http("POST", f"{lacking.url}/v1/rewrite", body=MAIL)
        assert answer.status == 503
        (denial,) = lacking.cloud.load_permission_report().denied
    assert denial.action == "dynamodb:UpdateItem"
    assert denial.resource.endswith("table/waypost-local-CampaignsTable")
    assert denial.role == "waypost-local-RewriteFunctionRole"


def test_rewrite_role_cannot_access_recipient_rows(scenario_stack: EmbeddedStack) -> None:
    role = "arn:aws:iam::123456789012:role/" + scenario_stack.ref("RewriteFunctionRole")
    dynamodb = scenario_stack.cloud.client("dynamodb", role)
    table = scenario_stack.ref("CampaignsTable")
    key = {"pk": {"S": "C#nobody"}, "sk": {"S": "C"}}
    dynamodb.get_item(TableName=table, Key=key)
    key["pk"]["S"] = "R#nobody#00"
    with pytest.raises(ClientError, match="AccessDeniedException"):
        dynamodb.get_item(TableName=table, Key=key)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        dynamodb.put_item(TableName=table, Item=key)


def test_request_with_a_wrong_signature_is_refused(scenario_stack: EmbeddedStack) -> None:
    arn = "arn:aws:iam::123456789012:role/" + scenario_stack.ref("RedirectFunctionRole")
    access = scenario_stack.cloud.get_credentials(arn)
    forged = boto3.client(
        "secretsmanager",
        endpoint_url=scenario_stack.cloud.url,
        region_name="us-east-1",
        aws_access_key_id=access["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key="guessed",
        aws_session_token=access["AWS_SESSION_TOKEN"],
    )
    with pytest.raises(ClientError, match="403"):
        forged.get_secret_value(SecretId=scenario_stack.ref("Keyring"))
