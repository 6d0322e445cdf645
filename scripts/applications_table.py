"""The table of docs/models.md: one step on the families of applications.

```
python scripts/applications_table.py          # half an hour or more
python scripts/applications_table.py VGG      # some of the rows
```

`tests/applications.py` has what is measured, and how.
"""

import argparse

import _tests_path  # noqa: F401
import applications
import every_backend

from amp_keras.experiments import markdown


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    families = list(applications.FAMILIES)
    parser.add_argument(
        "families", nargs="*", choices=families, help="by default all"
    )
    names = parser.parse_args().families or families
    of_backends = {
        backend: _differences(backend, names) for backend in every_backend.NAMES
    }
    print(markdown.header(["family", "network, side", *of_backends]))
    for name in names:
        build, side = applications.FAMILIES[name]
        cells = [_cell(rows.get(name)) for rows in of_backends.values()]
        print(markdown.row([name, f"{build.__name__}, {side}", *cells]))


def _differences(backend, names):
    in_keras = applications.families_on(backend)
    asked = [name for name in names if name in in_keras]
    return applications.differences_on(backend, *asked) if asked else {}


def _cell(differences):
    if differences is None:
        return "not in Keras"
    verdict = "passes" if applications.agree(*differences) else "differs"
    return f"{verdict}, {differences[0]:.0e} ({differences[1]:.2f})"


if __name__ == "__main__":
    main()
