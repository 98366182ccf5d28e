"""What a pipeline is told before it sends.

- ``entries``         every link's fate
- ``sample``          links as one recipient gets them, who stands for all
- ``cautions``        what may go wrong with a message afterwards
- ``segments``        how many parts a text message takes; ``segment_counts`` for all recipients
"""
