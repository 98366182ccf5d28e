"""What becomes of a link, and why.

- ``rules``       tracked or left as it is, with or without parameters
- ``secrets``     which URLs look as if whoever holds them may do something
- ``parameters``  the workspace's parameters, filled in; ``queries`` puts them into a URL
"""
