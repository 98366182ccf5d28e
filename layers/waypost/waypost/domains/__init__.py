"""Tracking domains: one CNAME by the customer, then HTTPS by itself, and never a dead link.

What is decided where; everything but the last block is free of AWS and of the network:

- ``hosts``       which names can be a tracking domain at all
- ``domain``      the entity: a tracking domain, what was last seen of it, and its history
- ``records``     where a name leads: CNAME chains, flattened records, proofs, wildcards
- ``answers``     the path that probes ask, and the signed answer that only this stack gives
- ``hsts``        whether browsers refuse plain HTTP for a host
- ``caa``         whether the customer's DNS lets Amazon issue a certificate
- ``machine``     the states, and what a check moves them to
- ``lights``      the states for people: expected, found, since when, the next step;
                  ``light`` is one, ``web_lights`` are those of HTTP(S), ``words`` their words
- ``base_urls``   which base URL the links of a message get
- ``app_links``   which apps may open a domain's links
- ``checking``    one check of one domain, from DNS to HTTPS
- ``verifying``   a check carried through: certificate, state, event, metric
- ``managing``    what the management routes do; ``requests`` what they take, ``status`` tell
- ``well_known``  what the redirect function answers below ``/.well-known/``
- ``stored``      how a domain is kept

- ``resolving``   questions to DNS servers (dnspython)
- ``connecting``  which addresses may be connected to, and the connection
- ``probing``     one request over HTTP or HTTPS, on a short leash; ``wire`` is its bytes
- ``edge``        what a CDN has to offer; ``cloudfront`` offers it, ``refusals``
                  are its errors
- ``senders``     whether a sending domain is verified; ``ses`` asks
- ``announcing``  who is told about a change; ``eventbridge`` tells
- ``quotas``      how much of the account's quotas is used
"""
