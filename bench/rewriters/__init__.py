"""What ``bench.rewriting`` is made of.

- ``messages``     messages of a given size with a given number of links, and the test corpus
- ``contestants``  rewriting as others do it
- ``ours``         rewriting as Waypost does it: a message never seen, and one more recipient
- ``timing``       processor time of contestants that take turns
- ``tables``       the matrix of links and sizes, shapes of messages, templates, real e-mails
- ``growth``       time by links, size and recipients, and how straight its line is
- ``memory``       what one message takes at its peak, in a process of its own
- ``hostile``      a megabyte of one thing
"""
