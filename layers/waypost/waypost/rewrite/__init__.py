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
"""
