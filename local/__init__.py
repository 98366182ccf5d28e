"""The embedded stack: what template.yaml describes, running on this machine.

Reads the template, makes its tables, queues, secrets, buses and buckets on moto, and runs its
functions as Lambda does, over real HTTP on one port. It follows the template and nothing else: what
is wired wrong there is wrong here.

- ``template``    the template as data: parameters, conditions, globals
- ``intrinsics``  what ``Ref``, ``Fn::Sub`` and their kind stand for
- ``resources``   what a template's resources are: ``making`` makes them, ``naming`` names the rest
- ``functions``   functions, their environment and what triggers them
- ``cloud``       moto, in a process of its own
- ``lambdas``     invocations, and the processes that run them; ``processes`` starts those
- ``runtime``     the Runtime API that those processes speak
- ``http_api``    events and answers of HTTP APIs; ``cloudfront`` what stands in front of them
- ``streams``     DynamoDB streams delivered to functions; ``queues`` and ``schedules`` likewise
- ``patterns``    which records a filter lets through
- ``front``       the one port; ``invoke_api`` and ``doors`` are behind it, too
- ``event_sources`` every mapping of the template; ``blueprint`` everything a template amounts to
- ``stack``       all of it together: ``EmbeddedStack``

``docs/embedded-stack.md`` says what is emulated and what is not.
"""
