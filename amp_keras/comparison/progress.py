"""A line that says how far a training is."""

import sys
import time

import keras

# Where a line cannot be written over, this many are written in all.
_LINES = 5


class ProgressLine(keras.callbacks.Callback):
    """Prints epoch, loss, accuracy and the time that is left, in one line."""

    def on_train_begin(self, logs=None):
        self._start, self._first = time.monotonic(), None

    def on_epoch_end(self, epoch, logs=None):
        epochs = self.params["epochs"]
        if self._first is None:
            self._first = epoch
        line = (
            f"  epoch {epoch + 1} of {epochs}: loss {logs['loss']:.3f}, "
            f"accuracy {logs['accuracy']:.3f}, {self._left(epoch)} left"
        )
        if sys.stdout.isatty():
            end = "\n" if epoch + 1 == epochs else ""
            print(f"\r{line:<76}", end=end, flush=True)
        elif (epoch + 1) * _LINES // epochs > epoch * _LINES // epochs:
            print(line, flush=True)

    def _left(self, epoch):
        spent = time.monotonic() - self._start
        done = epoch + 1 - self._first
        seconds = round(spent / done * (self.params["epochs"] - epoch - 1))
        minutes, seconds = divmod(seconds, 60)
        return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
