"""The page about a run, `README.md` in its folder."""

from amp_keras.experiments import input_pipeline
from amp_keras.experiments import markdown
from amp_keras.experiments import metrics as run_metrics
from amp_keras.experiments import plots

_PAGE = """# {title}

{method}, on {dataset}, {epochs} epochs, seed {seed}{choice}.{labels}

{table}

{num_parameters:,} parameters; {seconds:.0f} s of training on {num_replicas} \
{backend} device(s). Test images chose nothing.

    {command}

amp_keras {revision}; {versions}.

{plots}
"""


def page(title, config, metrics):
    """Returns the page as Markdown.

    Args:
        title: String.
        config: Dict, what `config.json` has.
        metrics: Dict, what `metrics.json` has.
    """
    versions = [f"{name} {v}" for name, v in config["versions"].items()]
    return _PAGE.format(
        **metrics,
        title=title,
        method=_method(metrics),
        choice=_choice(metrics, config),
        labels=_labels(metrics, config),
        table=_table(metrics),
        backend=config["backend"],
        command=config["command"],
        revision=config.get("revision") or "of an unknown revision",
        versions=", ".join(versions),
        plots="\n\n".join(
            f"![{plot.title}]({plot.name}.png)" for plot in plots.PLOTS
        ),
    )


def _method(metrics):
    return f"{metrics['model']} by {_perturbation(metrics)}{_further(metrics)}"


def _perturbation(metrics):
    if 0 in (metrics["epsilon"], metrics["inner_lr"], metrics["inner_iters"]):
        return "plain training"
    radius = f"epsilon={metrics['epsilon']:g}"
    if metrics.get("adapt_epsilon"):
        radius = (
            f"epsilon set by validation loss from {metrics['epsilon']:g} on"
        )
    ball = f"{radius}, norm={metrics['norm']}"
    if metrics.get("perturbation") == "random":
        method = f"random perturbation with {ball}"
    else:
        method = (
            f"AMP with {ball}, inner_lr={metrics['inner_lr']:g}, "
            f"inner_iters={metrics['inner_iters']}{_part(metrics)}"
        )
    return f"{method}{_start(metrics)}"


def _part(metrics):
    stride = round(1 / metrics.get("inner_fraction", 1.0))
    return "" if stride == 1 else f", the ascent on 1/{stride} of each batch"


def _start(metrics):
    start = metrics.get("perturb_from", 0.0)
    return f", from {100 * start:g} % of the epochs on" if start else ""


def _further(metrics):
    q, momentum = metrics.get("gce", 0.0), metrics.get("ema", 0.0)
    optimizer = ", AdamW" if metrics.get("optimizer") == "adamw" else ""
    loss = f", generalized cross-entropy with q={q:g}" if q else ""
    averages = f", weights averaged by {momentum:g}" if momentum else ""
    return optimizer + loss + averages


def _choice(metrics, config):
    if "val_loss" not in metrics:
        return ""
    if not config.get("restore_best_weights", True):
        return "; the network is that of the last epoch"
    return f"; epoch {metrics['epoch']} had the lowest validation loss"


def _labels(metrics, config):
    share = metrics.get("wrong_label_share")
    sentence = input_pipeline.sentence_on_labels(share, config)
    return f"\n\n{sentence}." if sentence else ""


def _table(metrics):
    splits = [
        (split, title)
        for split, title in (("test", "test"), ("val", "validation"))
        if f"{split}_loss" in metrics
    ]
    rows = [
        [
            metric.title,
            *(metric.text(metrics, split) for split, _ in splits),
        ]
        for metric in run_metrics.METRICS
    ]
    return markdown.table(["", *(title for _, title in splits)], rows)
