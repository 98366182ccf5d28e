"""What looks at hosts, as those see it who use what it saw: ``checks.checking`` does it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from waypost.domains.check_results import Dns, Findings
from waypost.domains.deadline import Deadline


class Checks(Protocol):
    """Looks over the network. What there is no time for until ``deadline`` is ``unseen``."""

    def check(
        self, host: str, proof: str, targets: Collection[str], deadline: Deadline, /
    ) -> Findings:
        """Everything there is to see of a host. ``targets`` are our names."""
        ...

    def dns(self, host: str, proof: str, targets: Collection[str], deadline: Deadline, /) -> Dns:
        """Only where the host leads."""
        ...
