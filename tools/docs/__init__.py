"""Checks what pages tell readers to do, without doing it: ``make docs-check``.

    pages     which pages there are, and what of them readers are to type
    commands  whether a command can be typed as it stands: targets, modules, options, routes, files
    aws       what the AWS CLI and SAM know, by their own models
    links     whether links, headings and files that a page names exist

What can be done on one machine is done by tests/docs.
"""
