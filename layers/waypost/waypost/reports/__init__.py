"""What is told about clicks: a campaign's figures, a link's people, a person's activity.

- ``campaigns``  a workspace's campaigns; one's figures, its links', and how they went over time
- ``ranking``    the most clicked links
- ``series``     hours counted in UTC, as hours or days of the zone that the reader lives in
- ``people``     who clicked a link, and what a person clicked
- ``segments``   the people of a link as a file
- ``answers``    what reports of campaigns answer with, and ``visitors`` those of people
- ``sharing``    who may look without an account: whoever holds a share link

A report reads the campaign's counters and the definitions of its links: a number of items that
grows with its links and hours, not with its clicks or people. Lists of people and clicks come in
pages. docs/reports.md has the reads of each.
"""
