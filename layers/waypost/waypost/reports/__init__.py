"""Reports: a campaign's figures, the people who clicked a link, and a person's activity.

- ``campaigns``    list of campaigns, figures, ranked links and clicks over time
- ``time_series``  groups hourly UTC counters into hours or days of a time zone
- ``people``       people who clicked a link, their export, and a person's clicks
- ``schemas``      response models
- ``share_links``  signed links to report pages

A report reads the campaign's counters and link definitions: its cost grows with the number of links
and hours, not of clicks or people. Lists of people and clicks are paginated. docs/reports.md lists
the reads of each report.
"""
