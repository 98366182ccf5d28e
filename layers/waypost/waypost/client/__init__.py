"""The rewrite function as a typed call, for pipelines in Python: any number of recipients, one
batch after the other, tried again where that is safe.

    client = Client("waypost-us-rewrite:live")
    mailing = client.rewrite(message, recipients)
    for delivery in mailing:
        send(delivery["content"])
    mailing.failed, mailing.links, mailing.warnings

Imports neither boto3 nor pydantic before a call is made, and nothing of the server at all.
"""

from waypost.client.messages import Message, Recipient
from waypost.client.rewriting import Client, Rewriting

__all__ = ["Client", "Message", "Recipient", "Rewriting"]
