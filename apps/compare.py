"""Prints the measures of finished runs side by side, as a Markdown table.

```
python apps/compare.py runs/*
```
"""

from amp_keras.cli import compare

if __name__ == "__main__":
    compare.run()
