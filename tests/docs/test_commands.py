"""The commands of each page run on one embedded stack.

The tests run ``curl`` commands to a stack, requests as pages write them (``PUT /v1/… {…}``) and the
Makefile's operator targets, with the stack's address in place of ENV. ``make docs-check`` checks
the commands that need an account (``aws``, ``sam``, deployment, keys).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from local.stack import EmbeddedStack
from tests.click_factory import make_click
from tools.docs.commands import list_make_targets
from tools.docs.pages import ROOT, extract_code_blocks
from waypost.clicks.fallback_queue import serialize_click

OPERATED = {
    "rewrite",
    "share",
    "smoke",
    "replay",
    "recount",
    "claim-names",
    "list-campaigns",
    "opt-out",
    "opt-in",
    "erase",
}
OPERATED |= {name for name in list_make_targets() if name.startswith("domain")}
ELSEWHERE = {
    *("deploy", "build", "keys", "rotate-keys", "retire-key"),  # need an account
    *("demo", "serve", "help", "fill-table"),  # test_readme.py, tests/e2e
    *("audit", "sbom"),  # need the network, or a build
    *("setup", "test", "test-fast", "check", "fmt", "lock", "screenshots"),  # what runs this test
}

RUN = re.compile(r"^\s*(?:\$ )?(curl |cat > |make (?:{})\b|for file )".format("|".join(OPERATED)))
REQUEST = re.compile(r"^\s*(GET|PUT|POST|DELETE) (/v1/[^\s{}…]+)(?: +(\{.*\}))?$", re.MULTILINE)

OF_MAKE = {"ARGS", "ENV", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"}
"""What a make that runs these tests would hand on to the makes of a page."""
PRELUDE = r"""
set -euo pipefail
curl() { command curl --fail-with-body "$@"; }
aws() { echo "nothing is asked of AWS here: aws $*" >&2; return 1; }
make() {
    local would
    would=$(command make --no-print-directory -nC "$ROOT" "$@" BASE="$MANAGEMENT_URL" |
        sed -n '/^python -m tools/,$p')
    eval "\"\$PYTHON\"${would#python}"
}
"""


def script(block: str) -> str:
    """Convert a code block to a shell script of the commands that can run here; maybe empty."""
    joined = block.replace("\\\n", " ")
    if not any(RUN.match(line) for line in joined.splitlines()):
        return ""
    kept = re.sub(r"^\s*(?:\w+=\$\()?(?:aws|export|sam) .*\n?", "", joined, flags=re.MULTILINE)
    return re.sub(r"^\s*\$ ", "", kept, flags=re.MULTILINE)


def named_targets(text: str) -> set[str]:
    return {
        word
        for block in extract_code_blocks(text)
        for words in re.findall(r"^\s*(?:\$ )?make ([^#\n]*)", block, re.MULTILINE)
        for word in words.split()
        if re.fullmatch(r"[a-z][a-z-]*", word)
    }


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUNNABLE = [
    page
    for page in PAGES
    if any(
        script(block) or REQUEST.search(block)
        for block in extract_code_blocks(page.read_text("utf-8"))
    )
]


def asked(method: str, url: str, body: bytes = b"") -> urllib3.BaseHTTPResponse:
    """Send a request to the stack, with a long timeout for busy machines."""
    headers = {"content-type": "application/json"}
    return urllib3.request(method, url, body=body, headers=headers, timeout=60)


class Shell:
    """A shell in its own folder, which keeps the files of earlier commands of the page."""

    def __init__(self, stack: EmbeddedStack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        (folder / "events").symlink_to(ROOT / "events")
        shutil.copy(ROOT / "local" / "demo" / "spring_sale.html", folder / "newsletter.html")
        (folder / "sale.txt").write_text("The sale begins: https://acme.com/sale\n")
        for name in ("lost.ndjson", "unrecorded.log", "failed/batch.json"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(serialize_click(make_click(name)) + "\n")

    def run(self, text: str) -> str:
        """Run a script, and return its output.

        :raises AssertionError: when it fails.
        """
        address = self.stack.url.removeprefix("http://")
        here = re.sub(r"(?:localhost|127\.0\.0\.1):8080", address, text)
        run = subprocess.run(
            ["bash", "-c", PRELUDE + here],
            cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, f"{text}\n{run.stdout}{run.stderr}"
        return run.stdout

    def request(self, method: str, path: str, body: str) -> None:
        """Send a request as a page writes it."""
        headers = {"content-type": "application/json"}
        answer = urllib3.request(method, self.stack.url + path, body=body.encode(), headers=headers)
        assert answer.status < 400, f"{method} {path} {body}: {answer.data.decode()}"

    def link(self) -> str:
        """Return the most clicked link of the campaign that all pages use."""
        path = "/v1/workspaces/acme/campaigns/spring-sale"
        return str(asked("GET", self.stack.url + path).json()["links"][0]["link"])

    def environment(self) -> dict[str, str]:
        given = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AWS_") and name not in OF_MAKE
        }
        own = {"MANAGEMENT_URL": self.stack.url, "ROOT": str(ROOT), "PYTHONPATH": str(ROOT)}
        keys = {"KEY": "key", "SECRET": "secret", "LINK": self.link(), "PYTHON": sys.executable}
        signed = {f"AWS_{name}": "testing" for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")}
        return given | own | keys | signed | {"AWS_SESSION_TOKEN": "testing"}


@pytest.fixture(scope="module")
def shell(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    if not shutil.which("curl") or not shutil.which("bash"):
        pytest.skip("needs bash and curl")
    sent = json.loads((ROOT / "events" / "RewriteFunction.invoke.json").read_text())
    body = json.dumps(sent | {"workspace": "acme", "campaign": "spring-sale"}).encode()
    asked("POST", f"{stack.url}/v1/rewrite", body)
    return Shell(stack, tmp_path_factory.mktemp("reader"))


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_commands_of_a_page_run(page: Path, shell: Shell):
    for block in extract_code_blocks(page.read_text("utf-8")):
        if text := script(block):
            shell.run(text)
        for method, path, body in REQUEST.findall(block):
            shell.request(method, path, body)


def test_every_documented_target_is_run_here_or_elsewhere():
    named = set().union(*(named_targets(page.read_text("utf-8")) for page in PAGES))
    benches = {name for name in list_make_targets() if name.startswith("bench")}
    tools = {"fuzz", "soak", "test-contract", "docs", "docs-check", "check-security"}
    tools |= {"check-permissions", "emulate", "test-contract-roto"}  # .ci/run runs them
    assert named - OPERATED - ELSEWHERE - benches - tools == set()


def test_failing_command_fails_the_test(shell: Shell):
    with pytest.raises(AssertionError, match="is missing"):
        shell.run("make erase ENV=us WORKSPACE=acme")
    with pytest.raises(AssertionError, match="404"):
        shell.run("curl -s localhost:8080/v1/workspaces/acme/campaigns/nobody-saw-it")
    with pytest.raises(AssertionError, match="is not known"):
        shell.request("PUT", "/v1/workspaces/acme/settings", '{"shortn": {}}')
