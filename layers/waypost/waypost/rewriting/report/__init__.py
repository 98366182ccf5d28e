"""What a pipeline is told before it sends.

- ``entries``         every link's fate
- ``cautions``        what may go wrong with a message afterwards
- ``segments``        how many parts a text message takes; ``segment_counts`` for all recipients
"""
