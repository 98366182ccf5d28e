"""Well-known responses of tracking domains: app link files and signed probe answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.corrupt_domains import corrupt_domain_item, put_domain_item
from tests.fakes import InMemoryDomainRepository
from tests.unit.domains.builders import HOST, make_domain
from waypost.domains import probe_token
from waypost.domains.app_links import ANDROID_APP_LINKS_PATH, APPLE_APP_LINKS_PATH, get_path_prefix
from waypost.domains.schemas import AddDomainRequest
from waypost.errors import InvalidRequest, StoreUnavailable
from waypost.models import tracking_domain
from waypost.models.attributes import Item
from waypost.models.tracking_domain import NO_APP_LINKS, AndroidApp, AppLinks
from waypost.redirect import well_known
from waypost.responses import Response
from waypost.tokens.signer import Keyring
from waypost.validation import validate_value

FINGERPRINT = ":".join(["AB"] * 32)
APPS = AppLinks(
    ios=("ABCDE12345.com.acme.app", "ABCDE12345.com.acme.beta"),
    android=(AndroidApp("com.acme.app", (FINGERPRINT,)),),
    urls=("https://acme.com/shop/*", "https://acme.com/app"),
)


def request_file(path: str, host: str = HOST, apps: AppLinks = APPS) -> Response | None:
    store = InMemoryDomainRepository()
    store.add(make_domain(app_links=apps))
    return well_known.handle_well_known_request(
        path, host, lambda: Keyring((b"k" * 32,)), lambda: store
    )


def load_json_file(path: str, **options: Any) -> Any:
    response = request_file(path, **options)
    assert response is not None
    assert response["statusCode"] == 200
    assert response["headers"]["content-type"] == "application/json"
    return json.loads(response["body"])


def test_apple_file_lists_the_apps_and_only_app_paths() -> None:
    details = load_json_file(APPLE_APP_LINKS_PATH)["applinks"]["details"]
    assert details[0]["appIDs"] == ["ABCDE12345.com.acme.app", "ABCDE12345.com.acme.beta"]
    assert [component["/"] for component in details[0]["components"]] == ["/app/*"]


def test_android_file_lists_packages_and_certificate_fingerprints() -> None:
    (statement,) = load_json_file(ANDROID_APP_LINKS_PATH)
    assert statement["relation"] == ["delegate_permission/common.handle_all_urls"]
    assert statement["target"] == {
        "namespace": "android_app",
        "package_name": "com.acme.app",
        "sha256_cert_fingerprints": [FINGERPRINT],
    }


@pytest.mark.parametrize("host", [HOST, HOST.upper(), f"{HOST}:443"])
def test_app_link_file_is_served_for_a_host_in_any_case_and_with_port(host: str) -> None:
    assert load_json_file(APPLE_APP_LINKS_PATH, host=host)


@pytest.mark.parametrize("path", [APPLE_APP_LINKS_PATH, ANDROID_APP_LINKS_PATH])
@pytest.mark.parametrize(("host", "apps"), [("other.acme.com", APPS), (HOST, NO_APP_LINKS)])
def test_app_link_file_is_404_for_a_host_without_apps(path: str, host: str, apps: AppLinks) -> None:
    response = request_file(path, host, apps)
    assert response is not None
    assert response["statusCode"] == 404


def test_app_for_ios_only_has_no_android_file() -> None:
    ios_only = AppLinks(ios=APPS.ios)
    assert load_json_file(APPLE_APP_LINKS_PATH, apps=ios_only)
    android = request_file(ANDROID_APP_LINKS_PATH, apps=ios_only)
    assert android is not None
    assert android["statusCode"] == 404


@pytest.mark.parametrize("path", [APPLE_APP_LINKS_PATH, ANDROID_APP_LINKS_PATH])
@pytest.mark.parametrize(
    "corrupt_item",
    [
        tracking_domain.build_claim_key(HOST),
        corrupt_domain_item(make_domain(app_links=APPS), "app_links.ios", "x"),
    ],
)
def test_app_link_file_of_a_corrupt_domain_raises_instead_of_404(
    path: str, corrupt_item: Item
) -> None:
    store = InMemoryDomainRepository()
    store.add(make_domain(app_links=APPS))
    put_domain_item(store, corrupt_item)
    with pytest.raises(StoreUnavailable, match=HOST):
        well_known.handle_well_known_request(
            path, HOST, lambda: Keyring((b"k" * 32,)), lambda: store
        )


def test_probe_is_answered_on_every_host_without_reading_a_domain() -> None:
    nonce, keyring = probe_token.create_nonce(), Keyring((b"k" * 32,))

    def fail_on_read() -> InMemoryDomainRepository:
        raise AssertionError("read")

    response = well_known.handle_well_known_request(
        probe_token.PROBE_PATH + nonce, "any.example", lambda: keyring, fail_on_read
    )
    assert response is not None
    assert probe_token.is_probe_answer(keyring, nonce, response["body"].encode())
    assert response["headers"]["cache-control"] == "no-store"


@pytest.mark.parametrize("nonce", ["", "short", "x" * 65, "a/b" * 8, "../" * 8, "é" * 20])
def test_malformed_probe_nonce_is_not_signed(nonce: str) -> None:
    response = request_file(probe_token.PROBE_PATH + nonce)
    assert response is not None
    assert response["statusCode"] == 404


def test_probe_signature_is_valid_only_for_its_nonce_and_keys() -> None:
    old, new = Keyring((b"o" * 32,)), Keyring((b"o" * 32, b"n" * 32))
    nonce = probe_token.create_nonce()
    signed = probe_token.build_probe_response(old, nonce)["body"].encode()
    assert probe_token.is_probe_answer(new, nonce, signed + b"\n")
    assert not probe_token.is_probe_answer(new, probe_token.create_nonce(), signed)
    assert not probe_token.is_probe_answer(Keyring((b"x" * 32,)), nonce, signed)
    for i in range(len(signed)):
        changed = signed[:i] + (b"A" if signed[i : i + 1] != b"A" else b"B") + signed[i + 1 :]
        assert not probe_token.is_probe_answer(old, nonce, changed), i


def test_well_known_path_other_than_probes_and_app_links_is_not_handled() -> None:
    assert request_file("/.well-known/security.txt") is None


@pytest.mark.parametrize(
    ("destination", "prefix"),
    [
        ("https://acme.com/shop/shoes?x=1#top", "/app"),
        ("https://acme.com/shop/", "/app"),
        ("https://acme.com/app", "/app"),
        ("https://acme.com/apple", ""),
        ("https://acme.com/blog", ""),
        ("https://evil.example/?https://acme.com/shop/", ""),
        ("http://acme.com/shop/shoes", ""),
    ],
)
def test_link_has_the_app_path_only_if_the_app_opens_its_destination(
    destination: str, prefix: str
) -> None:
    assert get_path_prefix(APPS, destination) == prefix


def test_link_has_no_app_path_without_an_app() -> None:
    assert get_path_prefix(AppLinks(urls=APPS.urls), "https://acme.com/app") == ""


def test_app_links_survive_a_json_round_trip() -> None:
    assert AppLinks.from_dict(json.loads(json.dumps(APPS.to_dict()))) == APPS


@pytest.mark.parametrize(
    ("apps", "field"),
    [
        ({"ios": ["com.acme.app"]}, "app_links.ios[0]"),
        ({"ios": "ABCDE12345.com.acme.app"}, "app_links.ios"),
        (
            {"android": [{"package": "app", "fingerprints": [FINGERPRINT]}]},
            "app_links.android[0].package",
        ),
        (
            {"android": [{"package": "com.acme.app", "fingerprints": []}]},
            "app_links.android[0].fingerprints",
        ),
        (
            {"android": [{"package": "com.acme.app", "fingerprints": ["AB"]}]},
            "app_links.android[0].fingerprints[0]",
        ),
        ({"urls": ["javascript:*"]}, "app_links.urls[0]"),
        ({"paths": []}, "app_links.paths"),
    ],
)
def test_invalid_app_link_is_rejected_with_its_field(apps: object, field: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        validate_value(AddDomainRequest, {"host": HOST, "app_links": apps})
    assert [problem.field for problem in error.value.problems] == [field]
