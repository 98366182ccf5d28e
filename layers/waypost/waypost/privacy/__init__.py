"""Opt-outs and the right to erasure.

- ``requests``  opt-outs and erasures as API calls, limited in time
- ``erasure``   erases a person from all tables, with correct figures afterwards
"""
