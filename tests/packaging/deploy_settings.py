"""Parameters that samconfig.toml sets, and the concurrency that functions may reserve."""

import tomllib

from tests.packaging.sam_build import ROOT

CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())
CONCURRENCY_LIMITS = {
    "RewriteFunction": ("LimitsRewriting", "RewriteConcurrency"),
    "TallyFunction": ("LimitsCounting", "TallyConcurrency"),
    "ApiFunction": ("LimitsManagement", "ManagementConcurrency"),
    "PagesFunction": ("LimitsManagement", "ManagementConcurrency"),
    "VerifyDomainsFunction": ("LimitsManagement", "ManagementConcurrency"),
}
ACCOUNT_CONCURRENCY = 1_000  # concurrent executions, in docs/deploy.md
UNRESERVED_CONCURRENCY = 100  # by Lambda, for functions without a reservation


def read_parameters(environment: str) -> dict[str, str]:
    """Return the template parameters that samconfig.toml sets for an environment."""
    overrides = CONFIG[environment]["deploy"]["parameters"]["parameter_overrides"]
    return dict(override.split("=", 1) for override in overrides)
