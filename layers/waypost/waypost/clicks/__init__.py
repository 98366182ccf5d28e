"""The rules of clicks, pure: what a request says, who may have made it, what is kept and adds up.

- ``request``      an HTTP event into the facts of a click; which requests are no clicks
- ``networks``     an address into what of it is kept
- ``making``       a signed token and a request into the click that is kept
- ``policies``     what a workspace decided about that, cached
- ``parking``      a click on its way through the queue, while the ledger cannot be written
- ``batches``      the clicks of a stream or a queue, as Lambda hands them over
- ``agents``       a user agent into known machine or not, and the kind of client
- ``mail_agents``  the same for agents that load images of messages
- ``honeypot``     the hidden link that only machines follow
- ``signals``      what speaks for a machine, how much, and the verdict
- ``marks``        a click as its recipient's row remembers it
- ``company``      what the clicks around a click tell about it
- ``sharing``      which deliveries several people probably read
- ``absorbing``    what new clicks change in a recipient's row
- ``summing``      what the row sums by link and by delivery
- ``moving``       how counters move when a row does
"""
