"""The output and the files of `make rewrite`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.stack import EmbeddedStack
from tools import rewrite
from tools.management_api import ApiError

HTML = (
    '<p>Ü <a href="https://acme.com/sale">Sale</a>\r\n'
    '<a href="mailto:a@acme.com">us</a> <a href="">x</a></p>\n'
)


@pytest.fixture
def run_tool(stack: EmbeddedStack):
    return lambda *given: rewrite.main(["--base", stack.url, "--workspace", "acme", *given])


def test_report_has_every_link_and_other_bytes_are_unchanged(run_tool, tmp_path: Path, capsys):
    file = tmp_path / "newsletter.html"
    file.write_bytes(HTML.encode())
    assert run_tool("--file", str(file)) == 0
    output = capsys.readouterr().out
    assert output.startswith("1 of 3 links tracked\n    1  tracked https://acme.com/sale\n")
    assert (
        "mailto:a@acme.com\n               is a mailto link, which only cio_link tracks" in output
    )
    assert output.endswith(f"The message for p1 is in {tmp_path / 'newsletter.tracked.html'}\n")
    sent = (tmp_path / "newsletter.tracked.html").read_bytes().decode()
    link = re.search(r"http://127\.0\.0\.1:\d+/e/c/[\w/-]+", sent)
    assert link
    assert sent.replace(link[0], "https://acme.com/sale").startswith(HTML.rstrip("\n"))


@pytest.mark.parametrize(
    ("name", "text", "pattern"),
    [
        ("sms.txt", "Sale: https://acme.com/sale", r"Sale: http://127\.0\.0\.1:\d+/e/c/"),
        ("letter.eml", f"Subject: s\r\nContent-Type: text/html\r\n\r\n{HTML}", r"/e/c/"),
    ],
)
def test_text_and_mime_files_are_rewritten(run_tool, name, text, pattern, tmp_path: Path):
    (tmp_path / name).write_bytes(text.encode())
    assert run_tool("--file", str(tmp_path / name)) == 0
    (written,) = tmp_path.glob("*.tracked.*")
    assert re.search(pattern, written.read_text())


def test_dry_run_writes_no_file(run_tool, tmp_path: Path, capsys):
    (tmp_path / "a.html").write_text(HTML)
    assert run_tool("--file", str(tmp_path / "a.html"), "--dry-run") == 0
    assert "1 of 3 links tracked" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]


def test_report_of_an_sms_has_its_segments(run_tool, tmp_path: Path, capsys):
    (tmp_path / "sale.txt").write_text("Sale: https://acme.com/sale")
    assert run_tool("--file", str(tmp_path / "sale.txt"), "--channel", "sms", "--dry-run") == 0
    assert re.search(
        r"^Segments \(gsm-7\): 1 before, \d after$", capsys.readouterr().out, re.MULTILINE
    )


def test_error_has_the_apis_words(run_tool, tmp_path: Path):
    (tmp_path / "a.html").write_text('<a href="{% cio_link url:%}">x</a>')
    (tmp_path / "ada.json").write_text("{}")
    with pytest.raises(SystemExit, match=r"400: content\.html"):
        run_tool("--file", str(tmp_path / "a.html"), "--data", str(tmp_path / "ada.json"))


TEMPLATE = '<a href="{{ trigger.url }}">{{ customer.name }}</a>'


def test_template_is_rendered_with_the_data_file(run_tool, tmp_path: Path, capsys):
    (tmp_path / "a.html").write_text(TEMPLATE)
    (tmp_path / "ada.json").write_text(
        '{"customer": {"name": "Ada"}, "trigger": {"url": "https://acme.com/1"}}'
    )
    assert run_tool("--file", str(tmp_path / "a.html"), "--data", str(tmp_path / "ada.json")) == 0
    assert "1 of 1 links tracked\n    1  tracked {{ trigger.url }}" in capsys.readouterr().out
    assert ">Ada</a>" in (tmp_path / "a.tracked.html").read_text()


def test_missing_variable_writes_no_message(run_tool, tmp_path: Path, capsys):
    (tmp_path / "a.html").write_text(TEMPLATE)
    (tmp_path / "ada.json").write_text('{"customer": {"name": "Ada"}, "trigger": {}}')
    assert run_tool("--file", str(tmp_path / "a.html"), "--data", str(tmp_path / "ada.json")) == 2
    assert "Failed: content.html: trigger.url is missing" in capsys.readouterr().out
    assert not (tmp_path / "a.tracked.html").exists()


@pytest.mark.parametrize("data", ["{'a': 1}", ""])
def test_error_for_invalid_json_names_the_line(run_tool, data, tmp_path: Path):
    (tmp_path / "a.html").write_text(TEMPLATE)
    (tmp_path / "ada.json").write_text(data)
    with pytest.raises(SystemExit, match=r"ada\.json: not JSON: .*line 1"):
        run_tool("--file", str(tmp_path / "a.html"), "--data", str(tmp_path / "ada.json"))


@pytest.mark.parametrize(
    ("content", "output"),
    [
        (b"", "empty file"),
        (b" \r\n", "empty file"),
        (b"\xff\xfe<\x00", "not UTF-8 text; save it as UTF-8"),
        (b"a" * (5 * 1024 * 1024 + 1), "5,242,881 bytes; a message has at most 5,242,880"),
    ],
)
def test_invalid_message_file_is_refused_without_a_request(
    run_tool, content, output, tmp_path: Path
):
    (tmp_path / "a.html").write_bytes(content)
    with pytest.raises(SystemExit, match=output):
        run_tool("--file", str(tmp_path / "a.html"))
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]


def test_html_is_refused_for_sms(run_tool, tmp_path: Path):
    (tmp_path / "a.html").write_text('<a href="https://acme.com/">a</a>')
    with pytest.raises(ApiError, match="content: sms accepts text only"):
        run_tool("--file", str(tmp_path / "a.html"), "--channel", "sms", "--dry-run")


@pytest.mark.parametrize(("name", "channel"), [("a.html", "push"), ("a.txt", "push")])
def test_report_without_links_names_the_page_on_channels(
    run_tool, name, channel, tmp_path: Path, capsys
):
    (tmp_path / name).write_text('<a href="https://acme.com/">https://acme.com/</a>')
    assert run_tool("--file", str(tmp_path / name), "--channel", channel, "--dry-run") == 0
    assert "No link was found; docs/channels.md" in capsys.readouterr().out
