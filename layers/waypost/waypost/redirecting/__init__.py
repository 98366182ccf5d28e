"""What happens to who clicks: they arrive, and the click is kept on the way.

- ``following``  the use case: verify, decide, record, respond
- ``opening``    tokens of links and pixels, under whichever key signed them
- ``lookup``     what links do not carry themselves: tokens of short links, long destinations
- ``pixel``      the image that tells of an open
"""
