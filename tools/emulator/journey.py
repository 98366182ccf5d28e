"""Steps of the emulated stack's life: deploys, the smoke test, an outage, a deletion.

A step returns its observation as a phrase, and raises StepFailed if the observation is wrong, like
the steps of the smoke test.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import boto3

from tools.emulator.deployment import ENVIRONMENT, deploy_stack
from tools.emulator.gateway import GatewayPool
from tools.emulator.server import REGION, ROOT_KEY
from tools.management_api import ManagementApi
from tools.smoke_steps import SmokeTest, StepFailed
from tools.stack import DeployedStack

TABLES: Final = ("ClicksTable", "CampaignsTable", "WorkspacesTable", "ShortLinksTable")
_PATIENCE_SECONDS: Final = 60


@dataclass(slots=True)
class Journey:
    """A stack at the emulator on ``port``. Later steps need earlier ones."""

    port: int
    stack: DeployedStack = field(
        default_factory=lambda: DeployedStack.from_environment(ENVIRONMENT)
    )
    _tests: int = 0
    _link: str = ""

    @property
    def url(self) -> str:
        """The emulator's address."""
        return f"http://127.0.0.1:{self.port}"

    def create_smoke_test(self) -> SmokeTest:
        """Create a smoke test of the deployed stack with new names."""
        self._tests += 1
        pool = GatewayPool(self.port)
        address = pool.build_api_url(self.stack.get_resource_id("ManagementApi"))
        api = ManagementApi(address, self.stack.region, pool)
        name = f"smoke-{self._tests}"
        return SmokeTest(api, pool, name, _PATIENCE_SECONDS, lambda: self.stack)

    def deploy(self) -> str:
        """Deploy for the first time, and sign in as an operator."""
        began = time.monotonic()
        deploy_stack(self.url)
        self._sign_in_as_operator()
        return f"{self.stack.name} in {time.monotonic() - began:.0f} s"

    def second_deploy(self) -> str:
        """Deploy the same template again."""
        output = deploy_stack(self.url)
        if "No changes to deploy" not in output:
            raise StepFailed("an unchanged template has changes")
        return "no changes"

    def update(self) -> str:
        """Deploy with another parameter; links sent before still work."""
        before = self._get_live_version()
        test = self.create_smoke_test()
        test.rewrite()
        deploy_stack(self.url, ["LogLevel=WARNING"])
        after = self._get_live_version()
        if after == before:
            raise StepFailed(f"live still is version {before}")
        test.click()
        return f"live is version {after} after {before}; a link sent before redirects"

    def fallback(self) -> str:
        """Revoke the redirect's permission to store clicks: they go through the queue."""
        test = self.create_smoke_test()
        test.rewrite()
        queue = self.stack.get_resource_id("ParkQueue")
        with self._paused_drain(), self._revoked_put_item():
            test.click()
            queued = self._count_messages(queue)
            if queued != 1:
                raise StepFailed(f"{queued} clicks are queued instead of 1")
        test.report()
        return "302, queued, drained, counted"

    def delete(self) -> str:
        """Delete the stack; tables and keys stay."""
        retained = [self.stack.get_resource_id(table) for table in TABLES]
        keyring = self.stack.get_resource_id("Keyring")
        cloudformation = self._admin("cloudformation")
        cloudformation.delete_stack(StackName=self.stack.name)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=self.stack.name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
        )
        missing = set(retained) - set(self._admin("dynamodb").list_tables()["TableNames"])
        if missing:
            raise StepFailed(f"deleted with the stack: {', '.join(sorted(missing))}")
        self._admin("secretsmanager").describe_secret(SecretId=keyring)
        functions = self._admin("lambda").list_functions()["Functions"]
        if functions:
            raise StepFailed(f"{len(functions)} functions are left")
        return f"{len(retained)} tables and the keys are left"

    def redeploy(self) -> str:
        """Deploy after the deletion; the new stack redirects and counts."""
        deploy_stack(self.url)
        self._sign_in_as_operator()
        test = self.create_smoke_test()
        test.rewrite()
        test.click()
        return test.report()

    def _admin(self, service: str) -> Any:  # noqa: ANN401 - clients have no common type
        """Create a client of the account's root user."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=ROOT_KEY,
            aws_secret_access_key=ROOT_KEY,
        )

    def _sign_in_as_operator(self) -> None:
        """Set the environment's credentials to a user who has the smoke test's permissions only."""
        iam, name = self._admin("iam"), f"operator-{time.time_ns()}"
        iam.create_user(UserName=name)
        policy = json.dumps(_build_operator_policy(self.stack.get_resource_id("ManagementApi")))
        iam.put_user_policy(UserName=name, PolicyName="smoke", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        os.environ["AWS_ACCESS_KEY_ID"] = key["AccessKeyId"]
        os.environ["AWS_SECRET_ACCESS_KEY"] = key["SecretAccessKey"]

    def _get_live_version(self) -> str:
        function = self.stack.get_resource_id("RedirectFunction")
        alias = self._admin("lambda").get_alias(FunctionName=function, Name="live")
        return str(alias["FunctionVersion"])

    def _count_messages(self, queue: str) -> int:
        name = "ApproximateNumberOfMessages"
        answer = self._admin("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
        return int(answer["Attributes"][name])

    @contextmanager
    def _paused_drain(self) -> Iterator[None]:
        """Disable the mapping from the fallback queue to the drain function."""
        client = self._admin("lambda")
        function = self.stack.get_resource_id("DrainFunction")
        (mapping,) = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        try:
            yield
        finally:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    @contextmanager
    def _revoked_put_item(self) -> Iterator[None]:
        """Remove the statement StoreClick from the redirect's role."""
        iam = self._admin("iam")
        names = {
            "RoleName": self.stack.get_resource_id("RedirectFunctionRole"),
            "PolicyName": "redirect",
        }
        policy = iam.get_role_policy(**names)["PolicyDocument"]
        statements = [row for row in policy["Statement"] if row["Sid"] != "StoreClick"]
        revoked = {**policy, "Statement": statements}
        iam.put_role_policy(**names, PolicyDocument=json.dumps(revoked))
        try:
            yield
        finally:
            iam.put_role_policy(**names, PolicyDocument=json.dumps(policy))


BEFORE_SMOKE: Final[Sequence[Callable[[Journey], str]]] = (Journey.deploy,)
AFTER_SMOKE: Final[Sequence[Callable[[Journey], str]]] = (
    Journey.second_deploy,
    Journey.update,
    Journey.fallback,
    Journey.delete,
    Journey.redeploy,
)


def _build_operator_policy(management_api: str) -> dict[str, object]:
    """Build the permissions that docs/deploy.md names for the smoke test."""
    statements = {
        f"arn:aws:execute-api:{REGION}:*:{management_api}/*": ["execute-api:Invoke"],
        "arn:aws:cloudformation:*:*:stack/*": ["cloudformation:DescribeStackResource"],
        f"arn:aws:events:{REGION}:*:rule/*/smoke-*": [
            *("events:PutRule", "events:DeleteRule", "events:PutTargets", "events:RemoveTargets")
        ],
        f"arn:aws:sqs:{REGION}:*:smoke-*": [
            *("sqs:CreateQueue", "sqs:DeleteQueue", "sqs:GetQueueAttributes"),
            *("sqs:SetQueueAttributes", "sqs:ReceiveMessage"),
        ],
    }
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": resource}
            for resource, actions in statements.items()
        ],
    }
