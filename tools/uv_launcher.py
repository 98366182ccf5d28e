"""Run uv with the settings that pip has here: indexes, certificates, proxy and trusted hosts.

    python -m tools.uv_launcher pip sync --require-hashes requirements.lock
    python -m tools.uv_launcher --explain    list the variables to set when installing fails

uv reads none of pip's files and variables. A variable of uv's that is set already wins. uv's cache
and its other folders are inside the virtual environment, because HOME may be read-only.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

SECTIONS = ("global", "install", ":env:")  # the later ones win, as in pip

PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS")

# pip's setting, uv's variable, and uv's other variables of the same meaning.
VARIABLES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("index-url", "UV_DEFAULT_INDEX", ("UV_INDEX_URL",)),
    ("extra-index-url", "UV_INDEX", ("UV_EXTRA_INDEX_URL",)),
    ("trusted-host", "UV_INSECURE_HOST", ()),
    ("cert", "SSL_CERT_FILE", CERTIFICATES),
    ("client-cert", "SSL_CLIENT_CERT", ()),
    ("proxy", "ALL_PROXY", (*PROXIES, *(name.lower() for name in PROXIES))),
)

EXPLANATION = """\
Installing failed. Behind a package mirror or a TLS proxy, set these and run make again:
  PIP_INDEX_URL        the mirror's URL (more of them: PIP_EXTRA_INDEX_URL)
  PIP_CERT             the file of the certificates that sign the mirror's or the proxy's
  PIP_TRUSTED_HOST     a host without a valid certificate
  PIP_PROXY            the proxy's URL
`pip config set global.index-url URL` and the like do the same. uv is given these settings, unless
its own are set: UV_DEFAULT_INDEX, UV_INDEX, SSL_CERT_FILE (or UV_SYSTEM_CERTS=true for the system's
certificates), UV_INSECURE_HOST, ALL_PROXY, UV_CACHE_DIR."""


def read_settings(listing: str) -> dict[str, str]:
    """Parse the output of ``pip config list``: lines such as ``global.cert='/ca.pem'``."""
    sections: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listing.splitlines():
        key, equals, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if equals and section in sections:
            sections[section][name] = ast.literal_eval(value)
    return {name: value for section in SECTIONS for name, value in sections[section].items()}


def load_pip_settings() -> dict[str, str]:
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    return read_settings(listed.stdout)


def build_uv_variables(
    settings: Mapping[str, str], environment: Mapping[str, str], prefix: Path
) -> Iterator[tuple[str, str]]:
    """Yield the variables to add for uv; ``prefix`` is the virtual environment."""
    # pip takes certificates from these as well.
    bundles = (environment.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    certificates = settings.get("cert") or next(filter(None, bundles), "")
    for name, variable, synonyms in VARIABLES:
        value = certificates if name == "cert" else settings.get(name, "")
        if value.strip() and not any(environment.get(known) for known in (variable, *synonyms)):
            if name == "cert" and Path(value).is_dir():
                yield "SSL_CERT_DIR", value
            else:
                yield variable, value if name.endswith("cert") else " ".join(value.split())
            if name == "extra-index-url" and not environment.get("UV_INDEX_STRATEGY"):
                # pip takes the best version of all indexes, uv that of the first that has any.
                yield "UV_INDEX_STRATEGY", "unsafe-best-match"
    for variable, folder in (
        ("UV_CACHE_DIR", "cache"),
        ("UV_TOOL_DIR", "tools"),
        ("UV_PYTHON_INSTALL_DIR", "pythons"),
    ):
        if not environment.get(variable):
            yield variable, str(prefix / "uv" / folder)


def main() -> None:
    if sys.argv[1:] == ["--explain"]:
        sys.exit(EXPLANATION)
    settings = load_pip_settings()
    if sys.argv[1:3] == ["pip", "compile"]:
        # A lock lists every file of a version; an extra index may have only some of them.
        settings.pop("extra-index-url", None)
    variables = dict(build_uv_variables(settings, os.environ, Path(sys.prefix)))
    uv = Path(sys.executable).with_name("uv")
    ended = subprocess.run([uv, *sys.argv[1:]], env={**os.environ, **variables}, check=False)
    if ended.returncode:
        print(EXPLANATION, file=sys.stderr)
    sys.exit(ended.returncode)


if __name__ == "__main__":
    main()
