"""A domain's state for people: expected, found, since when, and the next step.

- ``panel``  the lights of a domain; ``light`` is one of them
- ``web``    those of HTTP and HTTPS
- ``words``  their words
"""
