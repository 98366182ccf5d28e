"""What a check of a domain looks at.

- ``checking``  one check of one domain, from DNS to HTTPS
- ``records``   where a name leads: CNAME chains, flattened records, proofs, wildcards
- ``caa``       whether the customer's DNS lets Amazon issue a certificate
- ``hsts``      whether browsers refuse plain HTTP for a host
- ``answers``   the path that probes ask, and the signed answer that only this stack gives
"""
