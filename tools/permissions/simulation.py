"""Run probes through iam-simulate in Node.js."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local.account import ACCOUNT_ID
from tools.permissions.probes import Probe, list_actions
from tools.permissions.role_policies import RolePolicies

_SCRIPT: Final = Path(__file__).with_name("simulate.cjs")


class SimulationFailed(SystemExit):
    """Node.js or iam-simulate ended with an error."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on a probe, with the ids of the statements that allow it, or the error."""

    result: str = ""
    statements: Sequence[str] = ()
    error: str = ""


def simulate_probes(
    policies: RolePolicies, probes: Sequence[Probe], installation: Path
) -> list[Decision]:
    """Decide each probe; ``installation`` is the folder with ``node_modules``.

    :raises SimulationFailed: when Node.js fails.
    """
    requests = [_build_request(policies, probe) for probe in probes]
    ended = subprocess.run(
        ["node", _SCRIPT, installation.resolve()],
        input=json.dumps(requests), stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if ended.returncode:
        raise SimulationFailed(f"iam-simulate: ended with status {ended.returncode}")
    return [Decision(**answer) for answer in json.loads(ended.stdout)]


def _build_request(policies: RolePolicies, probe: Probe) -> dict[str, Any]:
    return {
        "principal": f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{probe.role}/probe",
        "policy": policies.documents[probe.role],
        "action": probe.action,
        "resource": policies.resolve_arn(probe.resource),
        "account": ACCOUNT_ID,
        "context": probe.context,
    }


def compare_decisions(
    documents: Mapping[str, Mapping[str, Any]],
    probes: Sequence[Probe],
    decisions: Sequence[Decision],
) -> Iterator[str]:
    """Yield a line for each unexpected decision, and for each action that no probe needs."""
    used = set()
    for probe, decision in zip(probes, decisions, strict=True):
        if decision.error:
            yield f"{probe}: not a valid request ({decision.error})"
        elif (decision.result == "Allowed") != probe.is_allowed:
            expected = "allowed" if probe.is_allowed else "denied"
            yield f"{probe}: {decision.result} instead of {expected}"
        used |= {(probe.role, sid, probe.action) for sid in decision.statements}
    for role, document in documents.items():
        for statement in document["Statement"]:
            for action in list_actions(statement):
                if (role, statement["Sid"], action) not in used:
                    yield f"{role}: {statement['Sid']}: no allowed probe of {action}"
