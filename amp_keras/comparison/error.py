"""The error that ends a comparison."""


class ComparisonError(Exception):
    """The comparison cannot be made; the message says why."""
