"""Waypost: link tracking for messages, run on your own AWS account.

The code of the Lambda layer, which every function imports. ``composition`` builds the services.

- ``redirect``       resolves a tracking link, records the click and redirects
- ``rewrite``        replaces the links of a message by tracking links; ``rewrite_files`` for files
- ``tally``          counts each click once; ``clicks`` and ``bot_detection`` describe clicks
- ``domains``        verifies tracking domains and falls back if one fails
- ``reports``        figures, people and share links; ``api`` and ``web`` present them
- ``privacy``        opt-outs and erasure; ``maintenance`` replays and recounts clicks
- ``tokens``         packs and signs the data in tracking links
- ``models``         entities: workspace, campaign, link, click, recipient, counters
- ``repositories``   one interface for each aggregate, with DynamoDB and S3 implementations
- ``client``         calls the rewrite function from a pipeline
- ``errors``         all errors as one tree
- ``retry``, ``cache``  retry with backoff, and a bounded cache with a TTL

docs/architecture.md shows the allowed imports.
"""
