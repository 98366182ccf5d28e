"""Compile a Liquid template once, render it for each recipient, and locate its links.

- ``template``         compile and render a text that is Liquid
- ``environment``      compile the Liquid of messages and settings
- ``runtime``          render compiled Liquid within a budget of work
- ``filters``          call filters within limits
- ``static_analysis``  decide if links can be located at compile time
- ``link_marks``       mark the links of a template, and find the marks while it renders
- ``scanner``          find the Liquid of a template and split it into tokens
"""
