"""What the management API and the report pages stand on.

- ``routing``      how a request reaches its route, and how what goes wrong is answered
- ``services``     the use cases behind the routes, made from the environment
- ``configuring``  what a workspace may decide
- ``description``  the API's OpenAPI document
"""
