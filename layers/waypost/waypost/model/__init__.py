"""The entities of link tracking. Each owns its keys and its stored form; none imports an AWS library."""
