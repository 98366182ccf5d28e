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

What a check of a domain looks at.

- ``checking``  one check of one domain, from DNS to HTTPS
- ``records``   where a name leads: CNAME chains, flattened records, proofs, wildcards
- ``caa``       whether the customer's DNS lets Amazon issue a certificate
- ``hsts``      whether browsers refuse plain HTTP for a host
- ``answers``   the path that probes ask, and the signed answer that only this stack gives

HTTPS by itself: what a CDN has to offer, and when it is asked.

- ``securing``    the steps from DNS that is right to a certificate that serves
- ``cloudfront``  CloudFront's tenants; ``refusals`` are its errors
- ``quotas``      how much of the account's quotas is used

A domain's state for people: expected, found, since when, and the next step.

- ``panel``  the lights of a domain; ``light`` is one of them
- ``web``    those of HTTP and HTTPS
- ``words``  their words

The network, on a short leash: whoever adds a domain says which names are asked and connected to.

- ``resolving``   questions to DNS servers (dnspython); ``questions`` is what one and its answer are
- ``connecting``  which addresses may be connected to, and the connection
- ``probing``     one request over HTTP or HTTPS; ``wire`` is its bytes, ``outcomes`` what it says
"""
