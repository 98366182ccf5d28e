"""The redirect: each click reaches its destination, and is recorded on the way.

- ``service``     verify the token, resolve the link, record the click, build the response
- ``well_known``  answers below ``/.well-known/``
"""
