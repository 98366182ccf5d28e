"""Tracking domains: one CNAME by the customer, then HTTPS by itself, and never a dead link.

- ``hosts``       which names can be a tracking domain at all
- ``domain``      the entity: a tracking domain, what was last seen of it, and its history
- ``findings``    what one check saw; ``checks`` look, over the ``network`` (``looking`` for others)
- ``machine``     the states, and what a check moves them to
- ``edge``        HTTPS by itself: a CDN's tenants and certificates
- ``verifying``   a check carried through: certificate, state, event, metric; ``deadline`` ends it,
                  ``judging`` says what it makes of a domain, ``keeping`` keeps that
- ``lights``      the states for people: expected, found, since when, the next step
- ``base_urls``   which base URL the links of a message get; ``targets`` our own names
- ``app_links``   which apps may open a domain's links
- ``managing``    what the management routes do; ``requests`` what they take, ``status`` tell
- ``well_known``  what the redirect function answers below ``/.well-known/``
- ``senders``     whether a sending domain is verified; ``ses`` asks
- ``announcing``  who is told about a change; ``eventbridge`` tells
- ``stored``      how a domain is kept; ``parts`` are read back

``network``, ``ses``, ``eventbridge`` and CloudFront's part of ``edge`` speak to the world; all else
is free of AWS and of the network.
"""
