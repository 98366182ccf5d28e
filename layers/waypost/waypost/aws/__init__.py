"""Clients of AWS services.

- ``minimal_client``  a small, fast client of DynamoDB, SQS and Secrets Manager for the redirect
- ``clients``         factories of clients with their timeouts and retries
- ``event_bus``       PutEvents on the stack's EventBridge bus

The minimal client speaks the protocol that the three services share: a POST of JSON to "/", signed
with Signature Version 4. It leaves out everything in boto3 that needs a service description:
parameter validation, endpoint rules and pagination. Its methods have boto3's low-level names
(``put_item``) and its errors the same ``response``, so code works with either client.
``docs/benchmarks.md`` has the measurements, ``docs/decisions/2026-11-22-minimal-client.md`` the
reasons.
"""

from waypost.aws.minimal_client import AwsServiceError, MinimalClient

__all__ = ["AwsServiceError", "MinimalClient"]
