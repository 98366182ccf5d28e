"""The entities of link tracking: each owns its keys and its stored form."""
