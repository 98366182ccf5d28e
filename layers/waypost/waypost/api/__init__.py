"""The JSON API for reports, settings, people, tracking domains and share links.

- ``routes``              the API's routes, ordered by resource
- ``app``                 resolver, error responses and the OpenAPI document
- ``workspace_settings``  validates, reads and changes a workspace's settings
- ``audit``               logs changes to a person without naming the person
"""
