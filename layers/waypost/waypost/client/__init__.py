"""Call the rewrite function from Python: any number of recipients, in batches, with retries.

    client = Client("waypost-us-rewrite:live")
    results = client.rewrite(message, recipients)
    for delivery in results:
        send(delivery["content"])
    results.failed, results.links, results.warnings

For a million recipients, use files in S3: ``client.rewrite_file(message, input=…, output=…)``.
``escape_tags(value)`` makes a user's value harmless in content that is rendered before.

- ``client``    the two calls
- ``results``   the results of a message, batch by batch
- ``batches``   how recipients are divided into batches
- ``invoke``    one invocation: retries, and errors
- ``tags``      escape tags in values of users
- ``types``     the request as types
- ``progress``  the progress bar at a terminal

Imports neither boto3 nor pydantic before a call is made, and nothing of the server.
"""

from waypost.client.client import Client
from waypost.client.results import RewriteResults
from waypost.client.tags import escape_tags
from waypost.client.types import Message, Recipient

__all__ = ["Client", "Message", "Recipient", "RewriteResults", "escape_tags"]
