"""A selftest as tables: of a terminal, and in Markdown beside what was published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vestige.desk.report.summary import table

_SCORES = ("faithfulness", "relearning", "quantisation", "robustness", "overall")
# Lee, Kim and Jo 2026, arXiv 2605.24614: Llama-3.2-1B, TOFU forget10, 150 models; AUC over 30 and 30, R, Q and their harmonic mean.
_PUBLISHED: Mapping[str, tuple[float, float, float, float]] = {
    "truth_ratio": (0.947, 0.234, 0.996, 0.379),
    "logit_lens_logp": (0.927, 0.812, 0.959, 0.879),
    "auc_min_k": (0.907, 0.532, 0.923, 0.675),
    "auc_loss": (0.902, 0.519, 0.935, 0.668),
    "extraction_strength": (0.891, 0.770, 0.970, 0.859),
    "auc_zlib": (0.867, 0.487, 0.938, 0.642),
    "exact_memorisation": (0.817, 0.605, 0.984, 0.750),
    "probability": (0.816, 0.642, 0.924, 0.757),
    "auc_min_k_plus_plus": (0.816, 0.431, 0.883, 0.579),
    "rouge_l_recall": (0.722, 0.203, 0.934, 0.333),
    "fisher_overlap": (0.712, 0.946, 0.583, 0.721),
}


def text(result: Mapping[str, Any]) -> str:
    """Return the table of a terminal, the metric of the best whole first."""
    rows = [[m["metric"], *(_shown(m[score]) for score in _SCORES)] for m in _ordered(result)]
    return f"{_models(result)}\n\n{table(['metric', *_SCORES], rows)}"


def markdown(result: Mapping[str, Any]) -> str:
    """Return the table in Markdown with the published values, and every reason for a number that is missing."""
    heads = [
        "metric",
        "faithfulness (AUC)",
        "R, relearning",
        "Q, quantisation",
        "robustness",
        "overall",
        "published AUC",
        "R",
        "Q",
        "robustness",
    ]
    rows = [[f"`{m['metric']}`", *(_shown(m[s]) for s in _SCORES), *_published(m["metric"])] for m in _ordered(result)]
    lines = [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)]
    reasons = [
        f"- `{m['metric']}`, {score}: {m[score]['missing_reason']}"
        for m in _ordered(result)
        for score in ("faithfulness", "relearning", "quantisation")
        if _missing(m[score])
    ]
    return "\n".join([_models(result), "", *lines, *(["", "Missing:", "", *reasons] if reasons else [])]) + "\n"


def _models(result: Mapping[str, Any]) -> str:
    models = result["models"]
    return f"{models['original']} models that know, {models['never_exposed']} that never knew, {models['subject']} unlearned."


def _ordered(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the metrics, those with the highest whole first, then by faithfulness; those without last."""
    return sorted(result["metrics"], key=lambda m: (-_number(m["overall"]), -_number(m["faithfulness"]), m["metric"]))


def _number(score: Any) -> float:
    if _missing(score):
        return -1.0
    return float(score["value"] if isinstance(score, Mapping) else score)


def _missing(score: Any) -> bool:
    return isinstance(score, Mapping) and "missing_reason" in score


def _shown(score: Any) -> str:
    if _missing(score):
        return "missing"
    if isinstance(score, Mapping):
        return f"{score['value']:.2f} ({score['low']:.2f} to {score['high']:.2f})"
    return f"{score:.2f}"


def _published(metric: str) -> list[str]:
    return [f"{x:.2f}" for x in _PUBLISHED[metric]] if metric in _PUBLISHED else [""] * 4
