"""Rewrite a message for its recipients: each gets the message with their own tracking links.

In the order of a request:

- ``service``          the use case: compile, define links, render each recipient, count as sent
- ``schemas``          the request, and each recipient's outcome
- ``compiler``         a message as static text and slots; ``links`` locates the links in HTML,
  plain text and MIME, ``liquid`` in templates
- ``link_rules``       which links are tracked, and why not
- ``url_parameters``   the workspace's parameters, added to a URL's query
- ``renderer``         each recipient's message: renders it, registers its links, fills its slots
- ``link_writer``      signs or shortens links and fills slots
- ``diagnostics``      the link report and the warnings; ``sms_segments`` counts a text message's
- ``message_archive``  stores a campaign's first message for the click map

Only the characters of a link change: the source is never serialised again.
"""
