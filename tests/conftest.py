"""What holds for all tests: no account of whoever runs them, and no clock in a property."""

import os

from hypothesis import settings

for name in [name for name in os.environ if name.startswith(("AWS_", "POWERTOOLS_"))]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

# How long an example takes says more about the machine than about the code.
settings.register_profile("waypost", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=20)  # for make test-fast
settings.load_profile("waypost")
