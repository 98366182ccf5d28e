"""What becomes of a message: each recipient's own, with links known to the store.

- ``batches``     the use case: a message for as many recipients as an answer holds
- ``files``       the same for a million: from a file of lines to another
- ``deciding``    what a message and its workspace decide together
- ``mailing``     one message on its way to its recipients: rendered, links defined, stamped
- ``rendering``   a recipient's texts, before anything is signed
- ``defining``    codes for links that were not met before
- ``binding``     what of a text is the same for everybody, its links packed
- ``outcomes``    what comes of a recipient: a delivery, or a failure
- ``findings``    what a pipeline is told of a mailing
- ``answering``   what is answered, and whether it fits
- ``shortening``  short codes, and what links do not carry themselves
- ``keeping``     the message of a campaign, so that clicks can be shown on it
"""
