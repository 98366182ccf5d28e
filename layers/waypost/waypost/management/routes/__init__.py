"""The routes of the management API, a module for each thing that they are about.

A route takes what its path, query and body say, each by its type, makes one call and answers what
that gives. ``Given`` hands it the use cases (``waypost.management.routing``).
"""
