"""The commands behind the Makefile: operator tasks, and checks of docs, template and locks."""
