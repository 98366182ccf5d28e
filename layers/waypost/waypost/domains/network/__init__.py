"""The network, on a short leash: whoever adds a domain says which names are asked and connected to.

- ``resolving``   questions to DNS servers (dnspython); ``questions`` is what one and its answer are
- ``connecting``  which addresses may be connected to, and the connection
- ``probing``     one request over HTTP or HTTPS; ``wire`` is its bytes, ``outcomes`` what it says
"""
