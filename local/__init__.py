"""The embedded stack: everything in template.yaml, running on this machine.

It reads the template, creates its tables, queues, secrets, buses, buckets and roles on moto, and
runs its functions as Lambda does, over real HTTP on one port. ``docs/embedded-stack.md`` lists the
emulated features and the limits.

- ``stack``                ``EmbeddedStack``: start, use and stop everything
- ``__main__``             ``python -m local serve``, the command behind ``make serve``
- ``demo``                 ``make demo`` and ``make screenshots``

The template:

- ``template``             YAML, short tags, globals
- ``intrinsics``           parameters, conditions, ``Ref`` and other functions
- ``functions``            functions: code, environment, triggers
- ``resources``            names and attributes of resources
- ``resource_factories``   creation of resources on moto
- ``stack_definition``     everything that a template defines

The AWS services:

- ``cloud``                moto's process, and clients for it
- ``moto_server``          the code that runs in moto's process
- ``moto_transactions``    patch of moto: rollback of a cancelled transaction
- ``moto_speedups``        patch of moto: faster serialization of items
- ``moto_authorization``   patch of moto: authorization by the template's roles
- ``required_permissions`` permissions that a request needs
- ``iam_policies``         evaluation of policies

Functions:

- ``processes``            environment and start of a function's process
- ``forks``                client of the fork server
- ``forkserver``           the process that imports libraries once and forks
- ``worker_pool``          a function's processes, and invocations that wait for one
- ``lambda_runtime``       Lambda's Runtime API, and the pools of all functions
- ``invocations``          an invocation and its result

HTTP:

- ``router``               the stack's one port
- ``api_gateway``          HTTP APIs: routes, events, responses
- ``cloudfront``           CloudFront in front of an HTTP API
- ``invoke_api``           Lambda's Invoke API
- ``admin_api``            addresses that only the embedded stack has
- ``asgi``                 requests, responses, the server, its event loop
- ``clock``                time of requests

Events:

- ``event_sources``        all event source mappings
- ``poller``               parts that event source mappings share
- ``stream_mapping``       a stream's properties, filter and records
- ``stream_batches``       batches of a stream, retried and bisected
- ``dynamodb_streams``     polling of streams, and failure destinations
- ``sqs_queues``           polling of queues
- ``schedules``            rates

The rest: ``account`` (account id and region), ``errors`` (the error tree), ``browser`` (Chromium
for screenshots and tests).
"""
