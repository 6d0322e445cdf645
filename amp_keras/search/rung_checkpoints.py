"""The checkpoint by which a value goes on from one trial to the next."""

from amp_keras.experiments.checkpoints import Checkpoints


class RungCheckpoints(Checkpoints):
    """Goes on from that of an earlier trial, and keeps one of its last epoch.

    Args:
        earlier: Path, the folder of the trial before. It need not exist: then
            training begins at its beginning.
        folder: Path, the folder of this trial.
        last_epoch: Int, the number of epochs after which it is written.
    """

    def __init__(self, earlier, folder, last_epoch):
        super().__init__(folder)
        self._earlier = Checkpoints(earlier)
        self._last_epoch = last_epoch

    def load_latest(self, report=print):
        return self._earlier.load_latest(report)

    def save(self, step, arrays, progress):
        if len(progress["history"]["loss"]) == self._last_epoch:
            super().save(step, arrays, progress)
