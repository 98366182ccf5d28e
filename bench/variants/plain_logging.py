"""Waypost's redirect with the standard library's logging instead of powertools' Logger."""

import json
import logging
import sys
import types


class Logger(logging.LoggerAdapter[logging.Logger]):
    def __init__(self, service: str, **_: object) -> None:
        super().__init__(logging.getLogger(service), {"service": service})
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter(json.dumps({"message": "%(message)s"})))
        self.logger.addHandler(handler)


# Nothing of powertools is loaded where its module stands here already.
for name in ("aws_lambda_powertools", "aws_lambda_powertools.logging"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["aws_lambda_powertools.logging"].Logger = Logger  # type: ignore[attr-defined]

# It makes its logger when it is loaded.
from app import handler  # type: ignore[import-not-found]  # noqa: E402

__all__ = ["handler"]
