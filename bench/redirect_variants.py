"""Variants of the redirect to compare: artefacts, click events and a fake AWS."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme
from itsdangerous import URLSafeSerializer

from bench import builds
from bench.lambda_process import RedirectVariant
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.tokens import ClickToken, TokenSealer
from waypost.tokens.keyring import KeySchedule

SEED = "a seed for measuring, of more than thirty-two characters"
SECRET = json.dumps({"seed": SEED})
HREF = "https://shop.example.com/sale?utm_source=newsletter&utm_medium=email&utm_campaign=spring"
DELIVERY = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
BASELINE, BASELINE_COMPILED, WAYPOST = "usual build", "usual build with .pyc", "Waypost"


def build_click_event(payload: str, signature: str) -> dict[str, Any]:
    """Build a click event as API Gateway sends it."""
    sample: dict[str, Any] = json.loads(
        (builds.ROOT / "events/RedirectFunction.Click.json").read_text()
    )
    sample["rawPath"] = sample["requestContext"]["http"]["path"] = f"/e/c/{payload}/{signature}"
    sample["pathParameters"] = {"payload": payload, "signature": signature}
    return sample


def build_waypost_event() -> dict[str, Any]:
    link = derive_link_id(derive_campaign_id("acme", "spring-sale"), HREF)
    token = ClickToken(link, DELIVERY, "84213", position=3, sent=1_790_000_000, href=HREF)
    payload, _, signature = (
        TokenSealer(KeySchedule.parse(SECRET).build_keyring(0)).seal(token).partition("/")
    )
    return build_click_event(payload, signature)


def build_baseline_event() -> dict[str, Any]:
    fields = {"workspace": "acme", "person": "84213", "delivery": DELIVERY, "href": HREF}
    text = str(URLSafeSerializer(SEED).dumps({**fields, "link": "59011973", "position": 3}))
    payload, _, signature = text.rpartition(".")
    return build_click_event(payload, signature)


EVENT_BUILDERS: dict[bool, Callable[[], dict[str, Any]]] = {
    True: build_baseline_event,
    False: build_waypost_event,
}


@contextmanager
def start_fake_aws(folder: Path) -> Iterator[tuple[str, trustme.CA]]:
    """Start the fake AWS; yield its address and its certificate authority."""
    authority = trustme.CA()
    certificate = folder / "aws.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    command = [sys.executable, "-m", "bench.fake_aws", str(certificate), SECRET]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=builds.ROOT) as process:
        try:
            assert process.stdout is not None
            yield f"https://localhost:{int(process.stdout.readline())}", authority
        finally:
            process.kill()


def build_variants(python: Path, endpoint: str, authority: trustme.CA) -> list[RedirectVariant]:
    """Build all variants; the first three answer the question, the others are experiments."""
    function, layer = builds.build_waypost(python)
    runtime = builds.build_runtime(python)
    usual = builds.build_baseline()
    usual_compiled = builds.copy_artefact(usual, "usual-compiled", bytecode=True)
    builds.compile_bytecode(usual_compiled, python)
    bare = builds.copy_artefact(function, "function-bare", bytecode=False)
    layer_bare = builds.copy_artefact(layer, "layer-bare", bytecode=False)
    variants = builds.copy_artefact(builds.ROOT / "bench/variants", "variants", bytecode=False)
    builds.compile_bytecode(variants, python)
    tracing = builds.build_tracing(python)

    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "CLICKS_TABLE": "clicks",
        "WORKSPACES_TABLE": "workspaces",
        "SHORT_LINKS_TABLE": "short-links",
        "KEYRING_SECRET": "keyring",
        "PARK_QUEUE_URL": "https://queue",
        "RETENTION_DAYS": "400",
        "POWERTOOLS_SERVICE_NAME": "waypost",
    }
    all_roots = {
        "AWS_CA_BUNDLE": _write_root_bundle(layer / "botocore/cacert.pem", "all", authority)
    }
    amazons = {
        "AWS_CA_BUNDLE": _write_root_bundle(
            layer / "waypost/aws/amazon_roots.pem", "amazon", authority
        )
    }

    def waypost_variant(name: str, handler: str = "app.handler", **more: str) -> RedirectVariant:
        path = (function, layer, variants, tracing, runtime)
        return RedirectVariant(name, handler, function, path, settings | amazons | more)

    def baseline_variant(name: str, folder: Path) -> RedirectVariant:
        return RedirectVariant(name, "app.handler", folder, (folder, runtime), settings | all_roots)

    return [
        baseline_variant(BASELINE, usual),
        baseline_variant(BASELINE_COMPILED, usual_compiled),
        waypost_variant(WAYPOST),
        RedirectVariant(
            "Waypost without .pyc",
            "app.handler",
            bare,
            (bare, layer_bare, runtime),
            settings | amazons,
        ),
        waypost_variant("with boto3's clients", "boto3_clients.handler", **all_roots),
        waypost_variant("with botocore.auth over urllib3", "botocore_signing.handler"),
        waypost_variant("with all CA roots", **all_roots),
        waypost_variant("with gc off while starting", "without_gc.handler"),
        waypost_variant("with powertools' resolver", "with_resolver.handler"),
        waypost_variant(
            "with Tracer, switched off", "with_tracer.handler", POWERTOOLS_TRACE_DISABLED="1"
        ),
        waypost_variant("with plain logging", "plain_logging.handler"),
        waypost_variant("a handler that does nothing", "nothing.handler"),
    ]


def _write_root_bundle(roots: Path, name: str, authority: trustme.CA) -> str:
    """Write a file of CA roots that has the fake AWS' root, too."""
    file = builds.BUILD / f"{name}-roots.pem"
    file.write_bytes(roots.read_bytes() + b"\n" + authority.cert_pem.bytes())
    return str(file)


def get_event(variant: RedirectVariant) -> dict[str, Any]:
    """Build the click event in a variant's format."""
    return EVENT_BUILDERS[variant.name.startswith("usual")]()
