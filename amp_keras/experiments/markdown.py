"""Tables in Markdown."""


def table(columns, rows):
    """Returns a table.

    Args:
        columns: Titles.
        rows: Lists of cells, each as long as `columns`. A float has four
            digits, and `None` is a dash.
    """
    return "\n".join([header(columns), *map(row, rows)])


def table_of_dicts(rows, columns=None):
    """Returns a table; a key that a row does not have is a dash.

    Args:
        rows: List of dicts.
        columns: Dict of titles by key. Defaults to `None`: the keys of the
            first row.
    """
    columns = columns or {key: key for key in rows[0]}
    return table(
        columns.values(), [[row.get(key) for key in columns] for row in rows]
    )


def header(columns):
    """Returns the two lines above the rows of a table."""
    return f"{row(columns)}\n{row(['---'] * len(columns))}"


def row(cells):
    """Returns one line of a table, for tables that are printed as they grow."""
    return f"| {' | '.join(map(_text, cells))} |"


def _text(cell):
    if cell is None:
        return "-"
    text = f"{cell:.4g}" if isinstance(cell, float) else str(cell)
    return text.replace("|", r"\|")
