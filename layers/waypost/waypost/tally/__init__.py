"""Counts clicks, each once, however often and in whatever batches they arrive.

Read the recipients' rows, leave out what they list as counted, write rows and counters in one
transaction on the rows' versions, read again where another writer was faster. Nothing depends on
how a stream behaves: a click that is given again, by a replay next year, is counted already.

- ``tally``     the use case: a batch of clicks in, what has to be given again out
- ``identity``  takes the identity out of clicks of people who opted out
- ``standing``  reads rows, with the sheets that matter
- ``planning``  cuts what is to be written into transactions (pure)
- ``settling``  commits them, again where another writer was faster
- ``telling``   tells the event bus, each click once; ``announcing`` says what

docs/counting.md tells what is counted and what happens at every point of failure.
"""
