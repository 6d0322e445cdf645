"""What a search says while it runs."""

from amp_keras.search import trials


class SearchProgress:
    """Prints a line when a trial begins and one when it ends.

    The table of trials is written whenever one ends.

    Args:
        write_table: Function of the rows of `trials.rows`.
        objective: String, `"val_loss"` or `"val_accuracy"`.
        epochs: Int, the epochs of a trial of full length.

    Attributes:
        num_trials: Int, how many trials there will be.
    """

    def __init__(self, write_table, objective, epochs):
        self.num_trials = None
        self._write_table = write_table
        self._objective = objective
        self._epochs = epochs

    def resume(self, oracle):
        """Says what has been done already."""
        ended = sum(trials.has_ended(t) for t in oracle.trials.values())
        if ended:
            print(
                f"{ended} of {self.num_trials} trials have ended; "
                "going on with the rest"
            )

    def begin(self, oracle, trial):
        number = list(oracle.trials).index(trial.trial_id) + 1
        print(
            f"trial {number} of {self.num_trials}: {trials.describe(trial)}",
            flush=True,
        )

    def end(self, oracle, trial):
        rows = trials.rows(oracle, self._objective, self._epochs)
        self._write_table(rows)
        row = trials.row(trial)
        result = "failed"
        if row["status"] == trials.COMPLETED:
            result = (
                f"val_loss {row['val_loss']:.4f}, "
                f"val_accuracy {row['val_accuracy']:.4f}, "
                f"{row['seconds']:.0f} s"
            )
        number = list(oracle.trials).index(trial.trial_id) + 1
        print(
            f"trial {number} of {self.num_trials}: {result}; "
            f"{self._best(oracle, rows)}{self._time_left(oracle)}",
            flush=True,
        )

    def _best(self, oracle, rows):
        best = trials.best(rows)
        if best is None:
            return "none successful so far"
        return (
            f"best so far {self._objective} {best[self._objective]:.4f} "
            f"({trials.describe(oracle.trials[best['trial']])})"
        )

    def _time_left(self, oracle):
        rows = [trials.row(trial) for trial in oracle.trials.values()]
        seconds = [r["seconds"] for r in rows if r["status"] == "completed"]
        ended = sum(trials.has_ended(t) for t in oracle.trials.values())
        left = self.num_trials - ended
        if not seconds or not left:
            return ""
        mean = sum(seconds) / len(seconds)
        minutes = mean * left / max(1, len(oracle.tuner_ids)) / 60
        return f"; about {minutes:.1f} min left"
