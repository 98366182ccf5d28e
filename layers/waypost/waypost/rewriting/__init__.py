"""Finds the links of a message and puts tracking links in their place. Pure: no AWS, no clock.

A message goes through four steps:

- where links stand, as places of the source: ``html`` (with ``conditional``), ``cio_link``
- what becomes of each, and why: ``rules`` (with ``secrets``), ``parameters`` (with ``queries``)
- what is the same for every recipient: ``plan``, cut into segments, ``message`` for all its texts
- one recipient's message: ``stamping`` signs, fills the slots, joins

A text that is Liquid is a ``template``: its links are found once where ``steadiness`` allows, and
marked (``marking``) so that rendering tells where they came to stand.

Nothing but the places' own characters ever changes; the source is never serialised anew.
"""
