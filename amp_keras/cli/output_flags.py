"""The flags of the folder that a command leaves."""

from absl import flags

from amp_keras.cli import command_line

flags.DEFINE_string(
    "output_dir",
    None,
    "Folder for what the command leaves; what the same command began there is "
    "continued. Default: one below runs/, named after the flags.",
)
command_line.define_bool(
    "overwrite", False, "Remove what stands in the output folder, and begin."
)
