"""Check what each role of the template may do: ``make check-permissions``.

The exit code is 1 if a decision of iam-simulate differs from the table, or if the table has a gap.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools import cli
from tools.cli import EXIT_DONE, EXIT_INCOMPLETE
from tools.permissions.probes import list_gaps, load_probes
from tools.permissions.role_policies import load_role_policies
from tools.permissions.simulation import compare_decisions, simulate_probes


def main(installation: Path) -> int:
    """Run the probes with the iam-simulate in a folder.

    :raises SimulationFailed: when Node.js fails.
    """
    policies, probes = load_role_policies(), load_probes()
    problems = list(list_gaps(policies.documents, probes))
    if not problems:
        decisions = simulate_probes(policies, probes, installation)
        problems = list(compare_decisions(policies.documents, probes, decisions))
    for problem in problems:
        print(problem)
    roles, allowed = len(policies.documents), sum(probe.is_allowed for probe in probes)
    print(f"{roles} roles, {allowed} allowed and {len(probes) - allowed} denied calls")
    return EXIT_INCOMPLETE if problems else EXIT_DONE


if __name__ == "__main__":
    cli.run_command(lambda: main(Path(sys.argv[1])))
