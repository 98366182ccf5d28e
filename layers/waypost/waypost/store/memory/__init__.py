"""The stores in memory, with the same contracts: for tests, fault runs and models of load."""
