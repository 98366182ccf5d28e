"""Brings clicks home, sets figures right, and removes people.

- ``draining``    parked clicks, into the ledger
- ``replaying``   clicks out of files, wherever they were left
- ``recounting``  counters compared with the clicks that were made, and set right
- ``erasing``     a person, everywhere, with every figure right afterwards
"""
