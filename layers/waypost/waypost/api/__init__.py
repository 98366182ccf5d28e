"""What the management API and the report pages stand on.

- ``routes``       the API's routes, by what they are about
- ``routing``      how a request reaches its route, and how what goes wrong is answered
- ``services``     the use cases behind the routes, made from the environment
- ``configuring``  reads and changes what a workspace decided; ``settings_body`` what it may say
- ``auditing``     who did what to a person, without naming them
- ``description``  the API's OpenAPI document
"""
