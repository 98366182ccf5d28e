"""Play the entries of docs/runbook.md about functions and tables that fail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Http, write_changed_template, write_template_without_ledger
from tests.e2e.role_policies import remove_statement
from tests.e2e.runbook_operator import Operator, runbook_entry, wait_until
from tests.e2e.sender import URLS, Sender, create_sender
from waypost.ids import derive_campaign_id, derive_workspace_id


@pytest.fixture
def sender(running: EmbeddedStack, http: Http, request: pytest.FixtureRequest) -> Sender:
    return create_sender(running, http, request)


@runbook_entry("Redirect errors")
def test_function_without_a_required_variable_logs_its_name(
    tmp_path: Path, http: Http, no_aws_settings: None
) -> None:
    variable = "          PARK_QUEUE_URL: !Ref ParkQueue\n"
    with EmbeddedStack(
        write_changed_template(tmp_path, "  RedirectFunction:", variable, "")
    ) as broken:
        sender = Sender(broken, http, "broken")
        ((link, *_),) = sender.send("ada")
        assert sender.click(link).status >= 500
        log = broken.log_text()
        assert "Traceback" in log
        assert "environment variable PARK_QUEUE_URL is not set" in log


@runbook_entry("Parked too long")
def test_queued_click_waits_until_the_drain_function_works(
    tmp_path: Path, http: Http, no_aws_settings: None
) -> None:
    with EmbeddedStack(write_template_without_ledger(tmp_path)) as stack:
        operator, sender = Operator(stack), Sender(stack, http, "stuck")
        restore = remove_statement(stack, "DrainFunction", "StoreClick")
        _shorten_visibility_timeout(operator, "ParkQueue")
        ((link, *_),) = sender.send("ada")
        assert sender.click(link).headers["location"] == URLS[0]
        assert wait_until(lambda: '"reasons":["AccessDeniedException"]' in stack.log_text())
        assert operator.count_messages("ParkQueue") == 1
        restore()
        assert wait_until(lambda: sender.count_clicks() == 1)
        assert operator.count_messages("ParkQueue") == 0


@runbook_entry("Parked too long")
def test_queued_click_survives_a_drain_function_that_ends_in_an_exception(
    tmp_path: Path, http: Http, no_aws_settings: None
) -> None:
    code = "      CodeUri: functions/drain\n"
    template = write_template_without_ledger(tmp_path)
    text = template.read_text("utf-8")
    template.write_text(text.replace(code, f"{code}      Handler: app.renamed\n"), "utf-8")
    with EmbeddedStack(template) as stack:
        operator, sender = Operator(stack), Sender(stack, http, "broken-drain")
        ((link, *_),) = sender.send("ada")
        assert sender.click(link).status == 302
        assert wait_until(lambda: "Handler 'renamed' missing on module 'app'" in stack.log_text())
        assert operator.count_messages("ParkQueue") == 1


def _shorten_visibility_timeout(operator: Operator, queue: str) -> None:
    """Make a failed message visible again after seconds instead of minutes."""
    attributes: Any = {"VisibilityTimeout": "3"}
    url = operator.stack.ref(queue)
    operator.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)


@runbook_entry("Rewrite errors")
def test_invalid_rewrite_is_refused_and_an_unreadable_keyring_is_an_error(
    running: EmbeddedStack, http: Http, sender: Sender
) -> None:
    rewrite = f"{running.url}/v1/rewrite"
    assert http("POST", rewrite, body={"workspace": "e2e"}).status == 400
    restore = remove_statement(running, "RewriteFunction", "ReadKeyring")
    running.recycle("RewriteFunction")
    body = {"workspace": "e2e", "campaign": "c", "from": "a@mail.example.com"}
    body |= {"content": {"html": "<a href='https://e.com/'>e</a>"}, "recipients": []}  # type: ignore[dict-item]
    message = body | {"recipients": [{"delivery": "d", "person": "p"}]}
    operator, start = Operator(running), len(running.log_text())
    failed = operator.count_metric('"RewriteFailed":1')
    assert http("POST", rewrite, body=message).status == 503
    invoked = running.invoke("RewriteFunction", message)
    assert invoked.error is None  # Lambda sees no error
    assert json.loads(invoked.payload)["status"] == 503
    assert operator.count_metric('"RewriteFailed":1') == failed + 2
    log = running.log_text()[start:]
    assert '"message":"Request failed"' in log
    assert "GetSecretValue" in log
    restore()
    assert http("POST", rewrite, body=message).status == 200
    assert http("POST", rewrite, body={"workspace": "e2e"}).status == 400
    assert operator.count_metric('"RewriteFailed":1') == failed + 2


@runbook_entry("Short links guessed")
def test_unknown_short_codes_are_counted_and_answered_with_404(
    running: EmbeddedStack, http: Http
) -> None:
    operator = Operator(running)
    for n in range(2, 7):
        assert http("GET", f"{running.url}/s/{str(n) * 19}", {"user-agent": "x"}).status == 404
    assert operator.count_metric('"ShortLinkUnknown":1') == 5
    assert str(2) * 19 not in running.log_text()  # the log has no short codes


@runbook_entry("Short links unread")
def test_short_links_respond_503_without_their_table_and_other_links_redirect(
    running: EmbeddedStack, http: Http, sender: Sender
) -> None:
    short = sender.send_text_message()
    ((link, *_),) = sender.send("ada")
    restore = remove_statement(running, "RedirectFunction", "ReadShortLinks")
    answer = http("GET", running.url + short, {"user-agent": "x"})
    assert (answer.status, "retry-after" in answer.headers) == (503, True)
    assert sender.click(link).headers["location"] == URLS[0]
    assert '"LookupFailed":1' in running.log_text()
    restore()
    assert http("GET", running.url + short, {"user-agent": "x"}).status == 302


@runbook_entry("Rows damaged")
def test_corrupt_settings_are_named_and_replaced_by_a_put_or_a_restored_item(
    running: EmbeddedStack, http: Http, sender: Sender
) -> None:
    sender.call_api("PUT", "settings", {"retention_days": 90})
    ((link, *_),) = sender.send("ada")
    dynamodb, table = Operator(running).client("dynamodb"), running.ref("WorkspacesTable")
    dynamodb.restore_table_to_point_in_time(
        SourceTableName=table, TargetTableName="before", UseLatestRestorableTime=True
    )
    key = {"pk": {"S": f"W#{derive_workspace_id('e2e')}"}, "sk": {"S": "W"}}
    item = dynamodb.get_item(TableName="before", Key=key)["Item"]
    corrupt = {"settings": {"S": '{"retention_days": "90"}'}}
    address = f"{running.url}/v1/workspaces/e2e/settings"

    def check_repair(repair: Callable[[], object]) -> None:
        dynamodb.put_item(TableName=table, Item=item | corrupt)
        assert b"'retention_days'" in http("GET", address).body
        assert http("POST", f"{running.url}/v1/rewrite", body=_message("e2e")).status == 500
        assert http("POST", f"{running.url}/v1/rewrite", body=_message("other")).status == 200
        repair()
        assert http("POST", f"{running.url}/v1/rewrite", body=_message("e2e")).status == 200

    dynamodb.put_item(TableName=table, Item=item | corrupt)
    for function in ("RedirectFunction", "TallyFunction"):
        running.recycle(function)  # neither has cached the valid settings
    assert sender.click(link).headers["location"] == URLS[0]
    assert wait_until(lambda: sender.count_clicks() == 1)
    assert "Corrupt item" in running.log_text()
    assert http("PUT", address, body={"cio_id": True}).status == 400
    check_repair(lambda: http("PUT", address, body={"retention_days": 90}))
    check_repair(lambda: dynamodb.put_item(TableName=table, Item=item))


def _message(workspace: str) -> dict[str, object]:
    return {
        "workspace": workspace,
        "campaign": "corrupt",
        "from": "a@mail.example.com",
        "content": {"html": "<a href='https://e.com/'>e</a>"},
        "recipients": [{"delivery": "d", "person": "p"}],
    }


@runbook_entry("Restore a table")
def test_lost_items_are_copied_from_a_restored_table(
    running: EmbeddedStack, http: Http, sender: Sender
) -> None:
    operator, path_before = Operator(running), sender.send_text_message()
    dynamodb, table = operator.client("dynamodb"), running.ref("ShortLinksTable")
    dynamodb.restore_table_to_point_in_time(
        SourceTableName=table, TargetTableName="restored", UseLatestRestorableTime=True
    )
    path_after = sender.send_text_message()  # is not in the restored table and must stay
    for item in dynamodb.scan(TableName="restored")["Items"]:
        dynamodb.delete_item(TableName=table, Key={"pk": item["pk"]})
    assert http("GET", running.url + path_before, {"user-agent": "x"}).status == 404
    fill_table = ("tables", "--table", "ShortLinksTable", "--from", "restored")
    assert re.fullmatch(r"(\d+) items read, \1 written\n", operator.run_tool(*fill_table))
    for path in (path_before, path_after):
        assert http("GET", running.url + path, {"user-agent": "x"}).status == 302
    assert operator.run_tool(*fill_table).endswith(" 0 written\n")


@runbook_entry("Move to another region or account")
def test_links_reports_and_people_move_to_another_stack(
    running: EmbeddedStack, http: Http, sender: Sender, no_aws_settings: None
) -> None:
    short = sender.send_text_message()
    ((link, *_),) = sender.send("ada")
    sender.click(link)
    assert sender.count_clicks() == 1
    with EmbeddedStack() as new:
        new_operator, secrets = Operator(new), new.cloud.client("secretsmanager")
        keys = running.cloud.client("secretsmanager").get_secret_value(
            SecretId=running.ref("Keyring")
        )
        secrets.put_secret_value(SecretId=new.ref("Keyring"), SecretString=keys["SecretString"])
        new.recycle("RedirectFunction")
        for table in ("CampaignsTable", "WorkspacesTable", "ShortLinksTable", "ClicksTable"):
            _copy_table(running, new, table)
            new_operator.run_tool("tables", "--table", table, "--from", f"old-{table}")
        new_sender = Sender(new, http, sender.campaign)
        assert new_sender.click(link).headers["location"] == URLS[0]
        assert http("GET", new.url + short, {"user-agent": "x"}).status == 302
        assert new_sender.load_report()["clicks"]["total"] == 2  # one on each stack
        assert "every counter is correct" in new_operator.run_tool(
            "clicks", "recount", "e2e", sender.campaign
        ), derive_campaign_id("e2e", sender.campaign)


def _copy_table(old: EmbeddedStack, new: EmbeddedStack, table: str) -> None:
    """Copy a table of the old stack next to the new one's, as an export to another account does."""
    source, target = old.cloud.client("dynamodb"), new.cloud.client("dynamodb")
    keys: Any = target.describe_table(TableName=new.ref(table))["Table"]
    target.create_table(
        TableName=f"old-{table}",
        KeySchema=keys["KeySchema"],
        AttributeDefinitions=keys["AttributeDefinitions"],
        BillingMode="PAY_PER_REQUEST",
    )
    for item in source.scan(TableName=old.ref(table))["Items"]:
        target.put_item(TableName=f"old-{table}", Item=item)
