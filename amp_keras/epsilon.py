"""Epsilon, as a number and as the variable that a compiled step reads."""

import keras


class Epsilon:
    """A float that can change without compiling the training step anew.

    The float is what counts; the variable mirrors it in float32. This is a
    plain object, in which Keras' tracker does not look: the variable is no
    weight of the model that holds it.

    Args:
        value: Float >= 0.
    """

    def __init__(self, value):
        self.value = float(value)
        self.variable = keras.Variable(
            self.value,
            dtype="float32",
            trainable=False,
            autocast=False,
            name="amp_epsilon",
        )

    def set(self, value):
        self.value = float(value)
        self.refresh()

    def refresh(self):
        """Gives the variable the value of the float."""
        self.variable.assign(self.value)
