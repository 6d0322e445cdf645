"""The numbers of an evaluation as tables: lists of rows, which are dicts."""

from amp_keras.experiments import metrics

NAMES = ("metrics", "classes", "curvature", "radius", "line")
DIRECTIONS = ("amp", "gradient", "random")


def tables(results):
    """Returns the tables that the results have numbers for, by name.

    Args:
        results: Dict by name of a network, as `evaluation.json` has it.
    """
    makers = (_metrics, _classes, _curvature, _radius, _line)
    made = {name: make(results) for name, make in zip(NAMES, makers)}
    return {name: rows for name, rows in made.items() if rows}


def _metrics(results):
    rows = []
    for name, found in results.items():
        predictions = found["predictions"]
        for key, scaled in (("before", "no"), ("after", "yes")):
            temperatures = predictions["temperatures"]
            if scaled == "no":
                temperatures = [1.0]
            rows.append(
                {
                    "network": name,
                    "scaled": scaled,
                    "temperature": " ".join(f"{t:.4g}" for t in temperatures),
                    **{
                        metric.key: predictions[key].get(metric.key)
                        for metric in metrics.of_evaluation()
                    },
                }
            )
    return rows


def _classes(results):
    return [
        {"network": name, **row}
        for name, found in results.items()
        for row in found["predictions"]["classes"]
    ]


def _curvature(results):
    rows = []
    for name, found in results.items():
        if not {"eigenvalues", "trace"} <= set(found):
            continue
        spectrum, trace = found["eigenvalues"], found["trace"]
        values = zip(spectrum["values"], spectrum["relative"])
        row = {"network": name, "loss": spectrum["loss"]}
        for number, (value, relative) in enumerate(values, start=1):
            row[f"eigenvalue_{number}"] = value
            row[f"relative_eigenvalue_{number}"] = relative
        row.update(
            smallest_seen=spectrum["smallest"],
            converged=spectrum["converged"],
            trace=trace["value"],
            trace_standard_error=trace["standard_error"],
            relative_trace=trace["relative"],
            relative_trace_standard_error=trace["relative_standard_error"],
            weights_norm=spectrum["weights_norm"],
            weights=spectrum["num_weights"],
        )
        rows.append(row)
    return rows


def _radius(results):
    rows = []
    for name, found in results.items():
        for direction in DIRECTIONS:
            if direction in found:
                rows += _of_direction(name, direction, found[direction])
    return rows


def _of_direction(name, direction, losses):
    for number, radius in enumerate(losses["radii"]):
        directions = [of_direction[number] for of_direction in losses["data"]]
        yield {
            "network": name,
            "direction": direction,
            "radius": radius,
            "relative_radius": losses["relative_radii"][number],
            "num_directions": len(directions),
            "loss": mean(directions),
            "least_loss": least(directions),
            "largest_loss": largest(directions),
            "loss_at_weights": losses["at_weights"]["data"],
        }


def _line(results):
    return [
        {"network": name, "coordinate": coordinate, "loss": loss}
        for name, found in results.items()
        if "line" in found
        for coordinate, loss in zip(
            found["line"]["coordinates"], found["line"]["data"]
        )
    ]


def mean(values):
    """Returns the mean; `None`, for infinity and NaN, if there is one."""
    return None if None in values else sum(values) / len(values)


def least(values):
    return min((v for v in values if v is not None), default=None)


def largest(values):
    return None if None in values else max(values)
