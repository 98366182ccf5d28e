"""Brings clicks home, sets figures right, and removes people.

- ``draining``    parked clicks, into the ledger
- ``replaying``   clicks out of files, wherever they were left
- ``recounting``  counters compared with the clicks that were made, and set right
- ``expecting``   what counters ought to be
- ``relabelling`` labels set right, and counters with them, after a threshold was lowered
- ``erasing``     a person, everywhere, with every figure right afterwards
- ``seeking``     where something of a person may be
- ``rows``        a recipient's row to that of an alias, step by step
- ``moving``      what of a recipient's row moves in one transaction
- ``forgetting``  opting out, and erasing within the time of a request
"""
