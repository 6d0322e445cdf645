"""Tables of docs/ whose rows are methods of one comparison, from its page.

Their first heading links to the page; the others are headings of the page, and
so are the first cells of the rows.
"""

import re

import pooled

from amp_keras.comparison import page
from amp_keras.experiments import markdown

_TABLE = re.compile(
    r"^(\| \[method\]\((.+?)/README\.md\) \|.*)\n(?:\|.*\n)*", re.MULTILINE
)
_FACTS = {
    "seeds": lambda row: row["seeds"],
    "tuning runs": lambda row: row["tuning_runs"],
    "passes": lambda row: f"{float(row['passes']):.2f}",
    "seconds": lambda row: f"{float(row['seconds']):.0f}",
}


def renewed(text, folder):
    """Returns a page with its tables as they are to be.

    Args:
        text: String, the page in Markdown.
        folder: `pathlib.Path` of the folder that it lies in.
    """
    return _TABLE.sub(lambda found: _renewed(found, folder), text)


def _renewed(found, folder):
    by_title = {
        row["title"]: row for row in pooled.comparison(folder / found[2])
    }
    _, _, *lines = found[0].splitlines()
    titles = [line.strip("| ").split(" | ")[0] for line in lines]
    headings = found[1].strip("| ").split(" | ")
    rows = [
        [title, *(_cell(by_title[title], name) for name in headings[1:])]
        for title in titles
    ]
    return markdown.table(headings, rows) + "\n"


def _cell(row, heading):
    if heading in _FACTS:
        return _FACTS[heading](row)
    (metric,) = [m for m in page.METRICS if page.heading(m) == heading]
    return pooled.cell(row, metric)
