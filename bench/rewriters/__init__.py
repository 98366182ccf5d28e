"""Parts of ``bench.rewriting``.

- ``messages``          messages of a given size with a given number of links, and real e-mails
- ``alternatives``      rewriting with other libraries
- ``waypost_rewriter``  rewriting with Waypost: the first recipient of a message, and the next
- ``timing``            processor time of calls that take turns
- ``tables``            links and sizes, shapes, templates, real e-mails, growth, hostile input
- ``memory``            peak memory of one message, in its own process
"""
