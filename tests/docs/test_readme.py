"""The output and the code in README.md are those of the commands."""

from __future__ import annotations

import re

from local.demo.__main__ import main as demo
from local.stack import EmbeddedStack
from tools.docs.pages import ROOT

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")


def extract_block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_demo_prints_the_output_in_the_readme(capsys):
    assert demo() == 0
    printed = capsys.readouterr().out
    for shown in extract_block("text").splitlines():
        if shown and shown != "…":
            _, found, printed = printed.partition(shown.strip())
            assert found, f"{shown} is not printed, or earlier"


def test_readme_code_returns_a_message_with_a_tracking_link(account: EmbeddedStack):
    names: dict[str, str] = {}
    exec(
        extract_block("python").replace("waypost-us-rewrite:live", account.ref("RewriteFunction")),
        names,
    )
    assert re.search(r'href="http[^"]+/e/c/[^"]+"', names["message"])
    assert "Shop the sale" in names["message"]


def test_docs_index_lists_every_page():
    docs = ROOT / "docs"
    listed = re.findall(
        r"^\| \[([\w-]+\.md)\]", (docs / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted([*listed, "README.md"]) == sorted(page.name for page in docs.glob("*.md"))
