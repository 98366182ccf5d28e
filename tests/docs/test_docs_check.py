"""``make docs-check`` finds errors in pages, and none in the current ones."""

from __future__ import annotations

import pytest

from tools.docs.__main__ import find_page_errors
from tools.docs.pages import list_pages


@pytest.mark.parametrize("page", list_pages(), ids=lambda page: page.name)
def test_everything_named_on_a_page_exists(page):
    assert list(find_page_errors(page)) == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("    make deplyo ENV=us\n", "no target deplyo"),
        ("Run `make deplyo` now.", "no target deplyo"),
        ("    make share WORKSPAEC=acme\n", "no variable WORKSPAEC"),
        ("`aws dynamodb wait table-ready`", "AWS has no dynamodb wait table-ready"),
        ("`aws dynamodb wait table-exists --tabel-name t`", "no option --tabel-name"),
        ("`sam deplyo`", "SAM has no deplyo"),
        ("`sam deploy --confgi-env us`", "no option --confgi-env"),
        ("```sh\n$ make deplyo\n```\n", "no target deplyo"),
        ("    python -m local.nowhere\n", "no module local.nowhere"),
        ("`aws lambda invok --function-name x`", "AWS has no lambda invok"),
        ("    aws lambda invoke \\\n      --function x\n", "no option --function"),
        ("`curl -d @events/no.json localhost:8080/v1/rewrite`", "events/no.json does not exist"),
        ("`curl localhost:8080/v1/rewrites`", "no route /v1/rewrites"),
        ("[there](nowhere.md)", "does not exist"),
        ("# A b\n[there](#a-c)", "no such heading"),
        ("as docs/nowhere.md tells", "docs/nowhere.md does not exist"),
    ],
)
def test_invalid_command_link_or_file_is_reported(tmp_path, text, error):
    page = tmp_path / "page.md"
    page.write_text(text)
    (found,) = find_page_errors(page)
    assert found.endswith(error)


@pytest.mark.parametrize(
    "text",
    [
        "    make deploy ENV=us   # and so on\n",
        "`make serve PORT=8080`",
        "    python -m local serve --help\n",
        "    aws dynamodb wait table-exists --table-name t\n",
        "    sam list stack-outputs --stack-name waypost-dev\n",
        "    cat > mine.json\n    curl -d @mine.json localhost:8080/v1/rewrite\n",
        "    aws sqs start-message-move-task --source-arn ARN | cat\n",
        "    curl -s localhost:8080/v1/workspaces/acme/campaigns/sale\n",
        "# A `b` c\n[there](#a-b-c) and [elsewhere](https://example.com/x#y)",
        "```python\nmake = nothing\n```\n",
    ],
)
def test_valid_commands_links_and_files_are_not_reported(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    assert list(find_page_errors(page)) == []
