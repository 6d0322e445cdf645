"""Prints the measures of finished runs side by side, as a Markdown table.

```
python apps/compare.py runs/*
```
"""

import amp_keras_commands

if __name__ == "__main__":
    amp_keras_commands.compare()
