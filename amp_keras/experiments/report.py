"""The page about a run, `README.md` in its folder."""

from amp_keras.experiments import input_pipeline

_METRICS = {
    "accuracy": "accuracy",
    "loss": "loss (mean negative log-likelihood)",
    "ece": "expected calibration error",
}
_PAGE = """# {title}

{method}, on {dataset}, {epochs} epochs, seed {seed}{choice}.{labels}

{table}

{num_parameters:,} parameters; {seconds:.0f} s of training on {num_replicas} \
{backend} device(s). Test images chose nothing.

    {command}

amp_keras {revision}; {versions}.

![learning curves](curves.png)

![worst mistakes](mistakes.png)

![confusion matrix](confusion.png)
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
        choice=_choice(metrics),
        labels=_labels(metrics, config),
        table=_table(metrics),
        backend=config["backend"],
        command=config["command"],
        revision=config.get("revision") or "of an unknown revision",
        versions=", ".join(versions),
    )


def _method(metrics):
    if 0 in (metrics["epsilon"], metrics["inner_lr"], metrics["inner_iters"]):
        return f"{metrics['model']} by plain training"
    return (
        f"{metrics['model']} by AMP with epsilon={metrics['epsilon']:g}, "
        f"norm={metrics['norm']}, inner_lr={metrics['inner_lr']:g}, "
        f"inner_iters={metrics['inner_iters']}"
    )


def _choice(metrics):
    if "val_loss" not in metrics:
        return ""
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
    lines = [["", *(title for _, title in splits)], ["---"] * (len(splits) + 1)]
    for key, title in _METRICS.items():
        values = [f"{metrics[f'{split}_{key}']:.4f}" for split, _ in splits]
        lines.append([title, *values])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
