"""The redirect loads few modules: the first click waits for each of them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = (
    "boto3",
    "botocore.session",
    "crawleruseragents",
    "dns",
    "hstspreload",
    "jinja2",
    "liquid",
    "pydantic",
    "turbohtml",
    "urllib3",
)


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """Return the modules that are loaded after importing the handler and creating its clients."""
    probe = (
        "import sys; sys.path[:0] = sys.argv[1:]; import app;"
        "from waypost.aws.clients import create_redirect_client, create_keyring_client;"
        "create_keyring_client();"
        "create_redirect_client('dynamodb'), create_redirect_client('sqs');"
        "print(*sys.modules)"
    )
    folders = [str(ROOT / "functions/redirect"), str(ROOT / "layers/waypost")]
    run = subprocess.run(
        [sys.executable, "-c", probe, *folders],
        env={"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stdout.split())


@pytest.mark.parametrize("module", HEAVY)
def test_redirect_does_not_import_heavy_libraries(loaded, module):
    assert module not in loaded


def test_redirect_does_not_import_packages_of_other_functions(loaded):
    ours = {name.split(".")[1] for name in loaded if name.startswith("waypost.")}
    assert not ours & {"rewrite", "rewrite_files", "reports", "web", "tally"}
