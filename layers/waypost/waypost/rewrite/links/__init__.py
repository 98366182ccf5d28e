"""Find the links of a message's texts and locate them in the source.

- ``channels``      select the texts of a message that are searched, by channel
- ``extractor``     list the links of one text: ``html``, ``plain_text``, and ``cio_link`` in either
- ``occurrence``    describe one link: its offsets, its URL, and how its value is written
- ``placeholders``  hide Liquid and tags from the HTML parser without moving any offset
- ``mime``          decode raw messages and encode changed values the same way
"""
