"""Every fixed sentence of the report, in one place and keyed by language.

Adding a language is adding a key with the same entries. Entries with {braces} are filled by `str.format` with
named values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ROLES = {
    "subject": "unlearned model",
    "never_exposed": "never-exposed twin",
    "never_exposed_2": "second twin",
    "positive": "liar",
    "sham": "sham",
    "broken": "broken model",
    "original": "original model",
}

ROLE_NOTES = {
    "never_exposed_2": "another seed",
    "positive": "hides, has not forgotten",
    "sham": "twin, same unlearning",
    "broken": "noise",
    "original": "before unlearning",
}

AUDITS = {
    "unlearned": "The model under audit: was it removed?",
    "twin": "A model that never knew. Expected: PASS.",
    "liar": "A model that knows and hides it. Expected: FAIL, as revived.",
    "broken": "A model ruined by noise. Expected: no PASS.",
}

# Why a verdict is FAIL.
REASONS = {
    "residual": "it still shows before any attack",
    "revived": "harmless text brings it back",
    "level": "it is there after an attack, though it did not clearly rise",
    "imprint": "the true answer stands out as the one the model avoids",
}

# Why there is no verdict: the clause of that name does not hold, or could not be told.
OPEN = {
    "same_state": "subject and control are the same model",
    "original_never_knew": "the original was not shown to know it",
    "original_knew": "the original was not shown to know it",
    "residual": "before any attack it is not shown to be below δ",
    "attacked": "no attack was tried",
    "imprint": "how far the true answer is avoided is not shown to be below δ",
    "liar_caught": "no liar was caught by these attacks",
    "utility": "other abilities are lost, or could not be compared",
    "enough_probes": "there are too few probes for this threshold",
    "complete": "cells or records are missing",
    "benign": "a relearn set leaks, or was not checked",
    "distinct_states": "subject and control are the same model",
}

GLOSSARY = (
    (
        "choice score",
        "How surely the model picks the true answer among its candidates: 1 is certain, 0 is chance, below "
        "0 the "
        "true answer is avoided. s = (k·p − 1)/(k − 1), where p is the probability of the true one among k.",
    ),
    (
        "relearn set",
        "A small text that does not contain the answers. Copies of a model are fine-tuned on it for a few steps, then asked again.",
    ),
    (
        "excess E",
        "The model's score minus that of its never-exposed control after the same training, as a share of "
        "what the "
        "original knew (K). 0: nothing beyond a model that never knew. 1: everything is back.",
    ),
    ("threshold δ", "The excess from which the audit fails, if the interval also keeps clear of 0."),
    (
        "95 % interval",
        "Drawn as bands and bars, printed in brackets; over clusters (persons, countries), not over single questions.",
    ),
    ("never-exposed twin", "A model trained alike, from another seed, without the data to forget."),
    (
        "liar",
        "A copy of the original, taught only to hide. If the attacks cannot bring its knowledge back, they "
        "are too "
        "weak to prove anything, and nothing passes.",
    ),
    (
        "sham",
        "The twin, put through the same unlearning of facts it never held. It shows what unlearning itself writes into a model.",
    ),
)

ENGLISH: dict[str, Any] = {
    "language": "en",
    "product": "Vestige",
    "kind": "Unlearning audit",
    "title": "Vestige · {run} · {verdict}",
    "contents": "Contents",
    "roles": ROLES,
    "role_notes": ROLE_NOTES,
    "audits": AUDITS,
    "reasons": REASONS,
    "open": OPEN,
    "open_after": "after {set} it is not shown to be below δ (step {steps})",
    "glossary": GLOSSARY,
    "badges": {"PASS": "✓", "FAIL": "✕", "INCONCLUSIVE": "?"},
    "provisional": "PROVISIONAL",
    "provisional_says": "One seed only: the word is provisional until other seeds agree.",
    "because": "Because",
    "case": "Case",
    "run": "Run",
    "knowledge": {"planted": "planted knowledge", "pretrained": "knowledge from pre-training"},
    "score": {
        "choice": "choice score",
        "keyword": "keyword score",
        "answer_logp": "log-probability",
    },
    "missing": "missing: {reason}",
    "no_estimate": "not measured",
    "none": "none",
    "more": "(and {n} more)",
    "chance": "chance, 0",
    "yes": "holds",
    "no": "does not hold",
    "unknown": "cannot tell",
    "no_attack": "no attack",
    "step": "step",
    "step_n": "step {step}",
    # headline numbers
    "facts_rest": "Level before any attack",
    "facts_best": "Level after the strongest attack",
    "facts_best_note": "{set}, step {step}",
    "facts_control": "Control, same attack and step",
    "facts_excess": "Excess E over the control",
    "facts_excess_note": "the audit fails from δ = {delta}",
    "facts_interval": "95 % interval {low} to {high}",
    "facts_price": "All of that attack, every fold to its last step, took {steps} steps, {tokens} trained "
    "tokens and "
    "{seconds} on the machine named below.",
    # sections
    "limits": "What this does not show",
    "flags": "Flags",
    "flags_lead": "Doubts the audit raises about itself.",
    "flags_none": "No flag was raised.",
    "severity": {"blocks_pass": "blocks a PASS", "note": "note"},
    "controls": "The audit and its controls",
    "as_expected": "as it should",
    "not_as_expected": "not as it should",
    "controls_lead": "The same rule judges the model and models whose answer is known beforehand. "
    "The verdict "
    "is only worth as much as these come out as they should.",
    "recovery": "What came back",
    "recovery_lead": "Each panel is one relearn set: text without the answers, on which copies of every "
    "model "
    "were fine-tuned; or one attack that needs no text. Height is the {score} on the questions to forget: 1 is certain, 0 is chance. Bands "
    "are 95 % "
    "intervals of the model, its control and the liar; the table below the panels has them all.",
    "recovery_limit": "fails above (control + δ·K)",
    "recovery_chosen": "step chosen on selection clusters",
    "recovery_axis": "step",
    "recovery_panel": "{score} by step under {set}",
    "recovery_says": "{role}: {first} at step {start}, {last} at step {end}, highest {best} at step {at}.",
    "recovery_numbers": "All levels as numbers",
    "recovery_none": "No level was recorded.",
    "recovery_gaps": "Not drawn",
    "excess": "How much more than a model that never knew",
    "excess_lead": "Excess E of the model under audit over its control, with 95 % interval. The audit "
    "fails where a "
    "dot reaches δ and its lower bound, corrected for the number of attacks, is above 0. It can pass only "
    "where "
    "every bar ends below δ.",
    "excess_row": "Excess E, {name}: {value}; threshold {delta}",
    "excess_none": "No excess was estimated.",
    "excess_columns": ("Attack", "Step", "Excess E", "E [95 % interval]", "Corrected low", "Outcome"),
    "outcome_residual": "fails: residual",
    "outcome_revived": "fails: revived",
    "outcome_fails": "fails",
    "outcome_clear": "below δ",
    "outcome_open": "not settled",
    "answers": "What the models said",
    "answers_lead": "The same question put to the original, to the unlearned model, and to the unlearned model after the attack{after}.",
    "answers_after": " ({after})",
    "answers_masked": "Every answer is masked, word by word, since it is what was to be forgotten, or may "
    "hold it. Make the report with --reveal to read them.",
    "answers_revealed": "This report shows the texts that were to be forgotten. Treat it like the data themselves.",
    "answers_none": "No answers were recorded.",
    "answers_columns": {"before": "Original", "unlearned": "Unlearned", "after": "After the attack"},
    "answers_prompt": "Question",
    "answers_expected": "Expected",
    "answers_not_asked": "not asked",
    "answers_empty": "(empty answer)",
    "answers_cut": " … {more} more characters",
    "hit": "says it",
    "no_hit": "does not say it",
    "clauses": "The rule, clause by clause",
    "clauses_lead": "PASS needs every one of these clauses to hold. FAIL needs what the table of excesses "
    "shows: an "
    "excess of at least δ with a corrected lower bound above 0, or the same for the imprint. Anything else "
    "is "
    "INCONCLUSIVE.",
    "clauses_columns": ("Clause", "Result", "In words", "Value", "Bound"),
    "audit_of": "{subject}, against {control}",
    "audit_alone": "{subject}, without a control",
    "known": "Known by the original before unlearning (K)",
    "imprint": "Imprint (true answer ranked last, beyond the control)",
    "imprint_share": "True answer ranked last, share of probes",
    "size": "Clusters, probes, effective n, n needed",
    "utility_ratio": "Utility kept, of the original's",
    "levels": "All questions, before any attack",
    "levels_lead": "What was to go, what was to stay, other wordings and other scores. Log-probabilities are in nats per token.",
    "levels_columns": ("Questions", "Wording", "Score"),
    "arms": "Models trained",
    "arms_lead": "Every model state in this run, with the steps and tokens spent on it. Compared conditions must have spent the same.",
    "arms_attacked": "After an attack ({n} states)",
    "arms_columns": (
        "Model",
        "Relearn set",
        "Fold",
        "Seed",
        "Steps",
        "Trained tokens",
        "Scored tokens",
        "State",
    ),
    "arms_none": "No arm was recorded.",
    "cost": "Cost",
    "cost_lead": "Seconds on the machine named below. Timings are printed here only and are no part of the verdict.",
    "cost_columns": ("Model", "Relearn set", "Steps", "Trained tokens", "Time"),
    "cost_total": "All together",
    "cost_none": "No timing was recorded.",
    "cost_detail": "By relearn set",
    "plan": "Plan and digests",
    "plan_lead": "What was to be done, resolved to the last field, and the digests by which anyone can "
    "check that "
    "this page belongs to that ledger.",
    "plan_full": "The resolved plan",
    "plan_none": "No plan was handed to this report.",
    "digests": "Digests",
    "environment": "Machine and versions",
    "head": "Run",
    "glossary_title": "The words on this page",
    "evidence": "evidence",
    "plan_digest": "plan",
    "summary_audits": ("audit", "verdict", "reasons"),
    "summary_sets": ("relearn set", "step", "model", "control", "excess E"),
    "footer": "Made by Vestige from the records of the run. A verdict speaks of the attacks tried, up to "
    "the budget "
    "spent; it is evidence about a removal, not proof of erasure.",
}

WORDS: Mapping[str, Mapping[str, Any]] = {"en": ENGLISH}


def role_name(words: Mapping[str, Any], role: str) -> str:
    """Return what a role is called; a role nobody foresaw is called by its own name."""
    return str(words["roles"].get(role, role))


def legend_name(words: Mapping[str, Any], role: str) -> str:
    """Return what a role is called where it is met first: its name with a note."""
    note = words["role_notes"].get(role)
    return role_name(words, role) + (f" ({note})" if note else "")


def reasons_say(words: Mapping[str, Any], verdict: str, reasons: Sequence[str]) -> list[str]:
    """Return the reasons of a verdict in words; clauses named "set@step" are gathered by set."""
    table = words["reasons"] if verdict == "FAIL" else words["open"]
    steps: dict[str, list[str]] = {}
    for reason in reasons:
        name, at, step = reason.rpartition("@")
        if at:
            steps.setdefault(name, []).append(step)
    said = [str(table.get(r, r.replace("_", " "))) for r in reasons if "@" not in r]
    return said + [words["open_after"].format(set=name, steps=", ".join(at)) for name, at in steps.items()]
