"""Where the links of a message stand, as places of its source.

- ``channels``  which texts are searched, and how, by channel
- ``finding``   the links of one text: ``html``, ``plain``, and ``cio_link`` in either
- ``place``     a link's place, and how its value is written there
- ``mime``      raw messages; ``parts`` cuts them at their boundaries, ``transfer`` reads and writes
                a part by its encoding and ``charsets``, ``part_headers`` what it says of itself
- ``pixel``     where the image goes that tells of an open

``html`` stands on ``attributes`` (how values are read and written), ``conditional`` (comments that
Outlook reads) and ``masking`` (hides from the parser what is not HTML).
"""
