"""Clicks from the HTTP request to the clicks table.

- ``request``         a request and a token become a click
- ``settings_cache``  a workspace's settings, cached for every click
- ``fallback_queue``  the SQS queue for clicks while the clicks table is unavailable
- ``lambda_events``   clicks in Lambda's stream and queue batches
"""
