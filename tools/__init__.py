"""What the Makefile calls: checks of template and locks, and what an operator runs by hand."""
