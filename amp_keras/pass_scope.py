"""The scope in which a pass of a training step runs."""

import keras


class PassScope(keras.StatelessScope):
    """Gives variables values of its own, and notes what is done with them.

    Nothing that the pass assigns reaches a variable; a subclass may say
    otherwise. Losses that layers add are those of this pass.

    Args:
        values: List of tuples, variables and the values that they begin with.
            Defaults to none: those that they have.

    Attributes:
        assigned: List of the variables that the pass has assigned, in order.
        recomputed: List of the substituted variables that were read while the
            pass was differentiated.
        left: What `results` returned.
    """

    def __init__(self, values=()):
        super().__init__(values, collect_losses=True)
        self.assigned = []
        self.recomputed = []
        self.left = ()
        self._substituted = {}
        self._read = set()
        self._is_differentiated = False

    def substitute(self, variables, values):
        """Puts values in the place of variables."""
        for variable, value in zip(variables, values):
            self._substituted[id(variable)] = variable
            super().add_update((variable, value))

    def end_forward(self):
        """Says that what follows is the differentiation of the pass."""
        self._is_differentiated = True

    def results(self):
        """Returns tensors of the forward pass that are needed after it."""
        return ()

    def value_of(self, variable):
        """Returns the value that a variable has in this pass, or `None`."""
        return super().get_current_value(variable)

    def has_read(self, variable):
        return id(variable) in self._read

    def has_assigned(self, variable):
        return any(variable is v for v in self.assigned)

    def is_substituted(self, variable):
        return id(variable) in self._substituted

    def get_current_value(self, variable):
        self._read.add(id(variable))
        if self._is_differentiated and self.is_substituted(variable):
            self.recomputed.append(variable)
        return super().get_current_value(variable)

    def add_update(self, update):
        variable, _ = update
        self.note_assigned(variable)
        super().add_update(update)

    def note_assigned(self, variable):
        if not self.has_assigned(variable):
            self.assigned.append(variable)
