"""Rewrites a message for more recipients than an answer holds: from a file of lines to another.

Every line of the input is a recipient; the first one is the message (a rewrite body without
recipients), unless the request has it. The output has a line for each, in the same order: a
delivery, or a failure and why. Beside it stands a report.

- ``rewriting``  the use case: part by part, going on where it stopped
- ``asking``     what is asked for, and what is answered
- ``job``        what a request comes down to: one message, one version of the input
- ``lines``      the lines of the input, and the recipients that they are
- ``parts``      a part of the output: its recipients' messages
- ``reporting``  what is told of links and failures, put together from all parts
- ``progress``   what was done, noted beside the output
- ``output``     the output itself, which never takes the place of another
- ``pace``       whether there is time for another part
"""
