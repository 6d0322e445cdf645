"""The error of which the message is for the person at the command line."""


class AMPKerasError(Exception):
    """What was asked for or what a file holds is at fault, and not the code.

    The message says in one line what is accepted and what was received, or
    what to try. The commands print it and end with exit code 2. Arguments of
    the library that are wrong raise `ValueError`, as in Keras.
    """


class DivergedError(AMPKerasError):
    """The loss or the outputs of a run ceased to be finite."""


class NetworkError(AMPKerasError):
    """The network is at fault, whatever the hyperparameters are."""
