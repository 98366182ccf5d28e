"""Queue mappings refuse properties that are not emulated."""

from __future__ import annotations

import pytest

from local.errors import TemplateError
from local.functions import Trigger
from local.sqs_queues import QueueMapping


@pytest.mark.parametrize("name", ["FilterCriteria", "Enabled", "KmsKeyArn"])
def test_an_unsupported_property_of_a_queue_is_refused_and_named(name):
    with pytest.raises(TemplateError, match=rf"F\.E: {name} is not emulated"):
        QueueMapping.from_trigger(Trigger("F.E", "SQS", {"Queue": "arn", name: "x"}))
