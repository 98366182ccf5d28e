"""Finds the links of a message and puts tracking links in their place. Pure: no AWS, no clock.

A message goes through four steps:

- where its links stand, as places of the source: ``links``
- what becomes of each, and why: ``judging``
- what is the same for every recipient: a ``plan``, cut into segments by ``planning``, and by
  ``message`` for all its texts
- one recipient's message: ``stamping`` signs, fills the slots, joins

``request`` is what a pipeline asks for, ``report`` what it is told. A text that is Liquid is a
template (``liquid``): its links are found once where that is possible, and marked so that rendering
tells where they came to stand.

Nothing but the places' own characters ever changes; the source is never serialised anew.

What becomes of a link, and why.

- ``rules``       tracked or left as it is, with or without parameters
- ``secrets``     which URLs look as if whoever holds them may do something
- ``parameters``  the workspace's parameters, filled in; ``queries`` puts them into a URL

What a pipeline is told before it sends.

- ``entries``         every link's fate
- ``sample``          links as one recipient gets them, who stands for all
- ``cautions``        what may go wrong with a message afterwards
- ``segments``        how many parts a text message takes; ``segment_counts`` for all recipients

What becomes of a message: each recipient's own, with links known to the store.

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
