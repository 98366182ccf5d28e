"""A client of AWS for functions that somebody waits for, which starts fast and costs little a call.

It speaks the one shape that DynamoDB, SQS and Secrets Manager share: a POST of JSON to "/", signed
with Signature Version 4. What it leaves out of boto3 is everything that needs a description of the
service: checks of parameters, endpoints by rule, pagination. It has the same low-level method names
(``put_item``) and its errors have the same ``response``, so whoever takes one takes the other.
``docs/benchmarks.md`` has the measurements, ``docs/decisions/2026-11-22-minimal-client.md`` the
reasons.
"""

from waypost.aws.minimal_client import AwsServiceError, MinimalClient

__all__ = ["AwsServiceError", "MinimalClient"]
