"""Waypost: link tracking for messages, run on your own AWS account.

The domain of the whole product, imported by every function. Data flows one
way, handler → domain → store:

- ``codes``       names of workspaces, campaigns and links, shortened to fixed-width codes
- ``tokens``      what a tracking link carries, packed and signed
- ``rewriting``   finds the links of a message and puts tracking links in their place
- ``model``       the entities: workspace, campaign, link, click, recipient, counters
- ``store``       where entities live: one interface per aggregate, DynamoDB and its in-memory twin
- ``settings``    what a function reads from its environment
- ``client``      the rewrite function as a typed call, for pipelines
- ``errors``      everything that can go wrong, as one tree
"""
