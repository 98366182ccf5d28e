"""Count clicks exactly once, whatever the batches, their order and their repetitions.

The tally reads the recipients' rows, drops the clicks that they list as counted, and writes rows
and counters in one transaction, with optimistic locking on each row. After a conflict it reads
again. Counting does not depend on the stream: a click that is replayed a year later is known.

- ``service``          the use case: a batch of clicks in, the failed ones out
- ``aggregation``      clicks to changes of rows and counters (pure)
- ``transactions``     reads rows, plans transactions, commits them with retry
- ``event_publisher``  publishes each counted click, from an outbox

docs/counting.md describes the counters and the result of each failure.
"""
