"""The redirect starts cold while somebody waits: it loads no more than following a link needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
HEAVY = (
    "pydantic",
    "liquid",
    "turbohtml",
    "crawleruseragents",
    "dns",
    "linkify_it",
    "boto3",
    "waypost.rewriting",
    "waypost.sending",
    "waypost.counting",
    "waypost.reporting",
    "waypost.domains",
)


def test_loading_the_redirect_loads_nothing_of_other_functions() -> None:
    code = (
        "import importlib.util as u, sys\n"
        "s = u.spec_from_file_location('app', 'functions/redirect/app.py')\n"
        "m = u.module_from_spec(s); s.loader.exec_module(m)\n"
        "print('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    loaded = done.stdout.splitlines()
    assert "waypost.redirecting" in loaded
    assert [name for name in loaded if name in HEAVY or name.startswith(HEAVY)] == []
