"""The rewrite function as a typed call, for pipelines in Python: any number of recipients, one
batch after the other, tried again where that is safe.

    client = Client("waypost-us-rewrite:live")
    mailing = client.rewrite(message, recipients)
    for delivery in mailing:
        send(delivery["content"])
    mailing.failed, mailing.links, mailing.warnings

For a million there are files in S3: ``client.rewrite_file(message, input=…, output=…)``.

- ``calls``       the client itself
- ``rewriting``   a message on its way, batch by batch
- ``batches``     how recipients are cut into batches
- ``writing``     a value as JSON, or the field that cannot be
- ``files``       a file on its way, invocation by invocation
- ``calling``     one call: what is tried again, and refusals as errors
- ``collecting``  what several answers tell together
- ``messages``    the body as types
- ``progress``    the bar at a terminal

Imports neither boto3 nor pydantic before a call is made, and nothing of the server at all.
"""

from waypost.client.client import Client
from waypost.client.results import RewriteResults
from waypost.client.types import Message, Recipient

__all__ = ["Client", "Message", "Recipient", "RewriteResults"]
