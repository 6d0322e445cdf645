"""Runs the guides of docs/guides and writes them with what they print.

```
python scripts/render_guides.py
```

Each `NAME.py` becomes `NAME.md`, with the pictures that it saves beside it.
Names choose some: `render_guides.py wrong_labels`.
"""

import contextlib
import io
import os
import sys

import _tests_path  # noqa: F401
import guides


def main():
    os.chdir(guides.FOLDER)
    for path in guides.PATHS:
        if path.stem in (sys.argv[1:] or [path.stem]):
            path.with_suffix(".md").write_text(render(path))
            print(path.with_suffix(".md"), flush=True)


def render(path):
    """Returns a guide as a page in Markdown."""
    source = path.read_text()
    header = guides.header(source)
    parts = [
        f"# {header['Title']}",
        f"**Author:** {header['Author']}<br>\n"
        f"**Date created:** {header['Date created']}<br>\n"
        f"**Last modified:** {header['Last modified']}<br>\n"
        f"**Description:** {header['Description']}",
        f"This page is [{path.name}]({path.name}) and what it printed;\n"
        f"`python docs/guides/{path.name}` runs it.",
    ]
    names = {"__name__": "__main__"}
    for kind, block in guides.blocks(source):
        parts.append(block if kind == "text" else f"```python\n{block}\n```")
        if kind == "code":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(block, path.name, "exec"), names)
            if output.getvalue():
                parts.append(f"```\n{output.getvalue().rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
