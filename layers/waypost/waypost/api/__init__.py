"""What the management API and the report pages stand on.

- ``routes``       the API's routes, by what they are about
- ``routing``      how a request reaches its route, and how what goes wrong is answered
- ``services``     the use cases behind the routes, made from the environment
- ``configuring``  reads and changes what a workspace decided; ``settings_body`` what it may say
- ``auditing``     who did what to a person, without naming them
- ``description``  the API's OpenAPI document

The routes of the management API, a module for each thing that they are about.

A route takes what its path, query and body say, each by its type, makes one call and answers what
that gives. ``Given`` hands it the use cases (``waypost.api.app``).
"""
