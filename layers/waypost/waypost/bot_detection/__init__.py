"""Bot detection: signals of a click, their weights, and the verdict."""
