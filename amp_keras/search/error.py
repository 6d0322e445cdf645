"""The one error of a search that a person can put right."""


class SearchError(Exception):
    """The search cannot go on; the message says why and what to try."""
