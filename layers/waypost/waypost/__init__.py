"""Waypost: link tracking for messages, run on your own AWS account.

The domain of the whole product, imported by every function. Data flows one
way, handler → domain → store:

- ``redirecting``  what happens to who clicks
- ``sending``      what becomes of a message, and ``rewriting``, which of its links become what
- ``counting``     clicks into figures, each once, and ``clicks``, the rules of what a click is
- ``domains``      tracking hosts, from DNS to the fall-back
- ``reporting``    what is told about clicks; ``management`` and ``pages`` show it
- ``upkeep``       parked clicks home, figures right, people removed
- ``tokens``       what a tracking link carries, packed and signed
- ``model``        the entities: workspace, campaign, link, click, recipient, counters
- ``store``        where entities live: one interface per aggregate, DynamoDB and its in-memory twin
- ``client``       the rewrite function as a typed call, for pipelines
- ``errors``       everything that can go wrong, as one tree

docs/architecture.md draws who may import whom.
"""
