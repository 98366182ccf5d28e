"""uv gets the settings of pip, except those that uv has already."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.uv_launcher import build_uv_variables, read_settings

ROOT = Path(__file__).parents[3]
MIRROR = "https://user:secret@mirror.test/simple"
FOLDERS = {"UV_CACHE_DIR", "UV_TOOL_DIR", "UV_PYTHON_INSTALL_DIR"}


def variables(settings: dict[str, str], **environment: str) -> dict[str, str]:
    every = dict(build_uv_variables(settings, environment, Path("/venv")))
    return {name: value for name, value in every.items() if name not in FOLDERS}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("index-url", MIRROR, {"UV_DEFAULT_INDEX": MIRROR}),
        (
            "extra-index-url",
            "\nhttps://a.test/simple\nhttps://b.test/simple",
            {
                "UV_INDEX": "https://a.test/simple https://b.test/simple",
                "UV_INDEX_STRATEGY": "unsafe-best-match",
            },
        ),
        ("trusted-host", "a.test\nb.test:8443", {"UV_INSECURE_HOST": "a.test b.test:8443"}),
        ("cert", "/my certificates/ca.pem", {"SSL_CERT_FILE": "/my certificates/ca.pem"}),
        ("client-cert", "/client.pem", {"SSL_CLIENT_CERT": "/client.pem"}),
        ("proxy", "http://proxy.test:3128", {"ALL_PROXY": "http://proxy.test:3128"}),
        ("index-url", "", {}),
        ("timeout", "60", {}),
    ],
)
def test_pip_setting_becomes_a_uv_variable(name, value, expected):
    assert variables({name: value}) == expected


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("index-url", "UV_DEFAULT_INDEX"),
        ("index-url", "UV_INDEX_URL"),
        ("extra-index-url", "UV_INDEX"),
        ("extra-index-url", "UV_EXTRA_INDEX_URL"),
        ("trusted-host", "UV_INSECURE_HOST"),
        ("cert", "SSL_CERT_FILE"),
        ("cert", "SSL_CERT_DIR"),
        ("cert", "UV_SYSTEM_CERTS"),
        ("client-cert", "SSL_CLIENT_CERT"),
        ("proxy", "https_proxy"),
    ],
)
def test_existing_variable_wins(name, variable):
    assert variables({name: "from pip"}, **{variable: "from the user"}) == {}


def test_certificate_folder_is_passed_as_a_folder(tmp_path):
    assert variables({"cert": str(tmp_path)}) == {"SSL_CERT_DIR": str(tmp_path)}


def test_certificates_of_requests_are_used():
    assert variables({}, REQUESTS_CA_BUNDLE="/ca.pem") == {"SSL_CERT_FILE": "/ca.pem"}


def test_cache_is_in_the_virtual_environment_by_default():
    added = dict(build_uv_variables({}, {"UV_TOOL_DIR": "/tools"}, Path("/venv")))
    assert added == {
        "UV_CACHE_DIR": "/venv/uv/cache",
        "UV_PYTHON_INSTALL_DIR": "/venv/uv/pythons",
    }


def test_variables_win_over_files_and_install_over_global():
    listing = (
        ":env:.index-url='https://c.test'\ninstall.index-url='https://b.test'\n"
        "install.cert='/b=.pem'\nglobal.cert='/a.pem'\nglobal.index-url='https://a.test'\n"
        "download.proxy='http://proxy.test'\n"
    )
    assert read_settings(listing) == {"index-url": "https://c.test", "cert": "/b=.pem"}


@pytest.mark.heavy
def test_uv_uses_pips_index_and_a_failure_explains_the_variables(tmp_path):
    pip = tmp_path / "pip.conf"
    pip.write_text("[global]\nindex-url = http://127.0.0.1:9/simple\n")
    cleared = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_")) and not name.lower().endswith("_proxy")
    }
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "tools.uv_launcher", "pip", "install", "--dry-run"),
            *("--no-cache", "--target", tmp_path / "target", "absent-package"),
        ],
        cwd=ROOT, env={**cleared, "PIP_CONFIG_FILE": str(pip), "UV_HTTP_RETRIES": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    assert "http://127.0.0.1:9/simple" in ended.stderr
    assert "PIP_INDEX_URL" in ended.stderr
