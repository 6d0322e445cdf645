"""Ending on SIGTERM and Ctrl-C when it suits the work, not at once."""

import contextlib
import signal
import sys

from amp_keras.experiments import command

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption(contextlib.AbstractContextManager):
    """Within it, the first signal is noted; a second one ends the process.

    It must be used in the main thread.

    Attributes:
        signal: Int, the number of the signal, or `None` so far.
    """

    signal = None

    def __enter__(self):
        self._handlers = {s: signal.signal(s, self._note) for s in _SIGNALS}
        return self

    def __exit__(self, *exception):
        self._restore()

    def came(self):
        """Returns whether a signal came."""
        return self.signal is not None

    def end(self):
        """Says how to go on, and ends the process as shells expect it."""
        # A line of its own: the terminal may show ^C, and half a progress bar.
        print(
            "\nInterrupted and saved. The same command goes on from here:\n"
            f"{command.repeated()}",
            file=sys.stderr,
        )
        sys.exit(128 + self.signal)

    def _note(self, number, frame):
        self.signal = number
        self._restore()

    def _restore(self):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
