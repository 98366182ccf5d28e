"""Tracking domains: from the customer's CNAME to HTTPS links, with fallback to the default host.

The entity and its items are in ``waypost.models.tracking_domain``, the result of a check in
``waypost.models.domain_check``.

- ``service``          add, list, show, change and remove domains (the API's routes)
- ``schemas``          request bodies
- ``status``           a domain's status for the API: lights, DNS records, next step
- ``status_messages``  the texts of the lights
- ``verification``     one check from start to end, and the scheduled run
- ``checker``          the check of one host: DNS, HTTP, HTTPS, HSTS, CAA
- ``dns``              the DNS resolver, and the checks of CNAMEs, proofs and CAA records
- ``http_probe``       one HTTP or HTTPS request to a customer's host
- ``network``          the public-address guard against SSRF, TCP connections, deadlines
- ``probe_token``      the signed response that proves that a host leads to this stack
- ``state_machine``    the stages of a domain, and the time of its next check
- ``certificates``     the steps from a correct DNS record to an active certificate
- ``cloudfront``       CloudFront tenants and account quotas
- ``sender_identity``  the verification of sending domains in SES
- ``events``           metrics and events of a domain's changes
- ``base_url``         the base URL for a message's links
- ``app_links``        the files for universal links (iOS) and app links (Android)
- ``hostnames``        valid host names

Only ``cloudfront`` and ``sender_identity`` import AWS libraries.
"""
