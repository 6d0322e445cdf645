"""The table that `step_time.py` prints."""

import statistics

from amp_keras.experiments import markdown


def table(results):
    """Returns it in Markdown, of a dict of results by kind."""
    return markdown.table_of_dicts(
        [
            {"step": kind, **_cells(result), **_optional_cells(result)}
            for kind, result in results.items()
        ]
    )


def _cells(result):
    return {
        "passes": f"{result['passes']:.3f}",
        "ms": f"{1000 * statistics.median(result['seconds']):.2f}",
        "of plain": f"{result['of_plain']:.2f}",
        "spread": f"{100 * result['of_plain_spread']:.0f} %",
        "to arithmetic": f"{result['to_arithmetic']:.2f}",
        "first step, s": f"{result['compile_seconds']:.1f}",
        "traces": result["traces"],
    }


def _optional_cells(result):
    cells = {}
    if "speed_to_authors" in result:
        spread = f"{100 * result['speed_to_authors_spread']:.0f} %"
        cells["speed to authors'"] = (
            f"{result['speed_to_authors']:.2f} ({spread})"
        )
    if "mib" in result:
        cells["peak MiB"] = f"{result['mib']:.0f}"
        cells["over plain"] = f"{result['mib_over_plain']:.0f}"
    return cells
