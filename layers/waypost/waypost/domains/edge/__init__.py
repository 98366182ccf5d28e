"""HTTPS by itself: what a CDN has to offer, and when it is asked.

- ``securing``    the steps from DNS that is right to a certificate that serves
- ``cloudfront``  CloudFront's tenants; ``refusals`` are its errors
- ``quotas``      how much of the account's quotas is used
"""
