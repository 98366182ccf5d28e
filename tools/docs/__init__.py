"""Checks and writes the documentation: ``make docs-check`` and ``make docs``.

    pages      which pages exist, and which of their text readers type
    commands   finds commands that cannot be typed as they stand: targets, options, routes, files
    links      finds links, headings and files that do not exist
    threats    finds gaps of the threat model: entry points and tests that it does not name
    reference  writes the reference tables from code

tests/docs runs the commands that one machine can run.
"""
