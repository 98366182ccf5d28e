"""What happens to who clicks: they arrive, and the click is kept on the way.

- ``following``  the use case: verify, decide, record, respond
- ``front``      whether a request came through CloudFront
- ``opening``    tokens of links and pixels, under whichever key signed them
- ``lookup``     what links do not carry themselves: tokens of short links, long destinations
- ``answers``    the 302, and the plain pages for who cannot be led on
- ``pixel``      the image that tells of an open
"""
