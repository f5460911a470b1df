"""Which trace predicts recovery? Capitals unlearned by eight methods to three depths each, every trace read at rest, then relearned.

Each state is a run of its own in OUT: the built-in capitals plan with another [unlearn], two of its relearn sets, three steps to ask at,
and the traces of states but Fisher overlap, which takes as long as all others. Rates and steps were chosen on nothing: what matters is that
the states differ. Again = resume.

Run: python benchmarks/trace_states.py OUT [--dry-run], then python tools/write_traces.py OUT
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vestige import plan as plans
from vestige import pricing, runner
from vestige.errors import VestigeError
from vestige.plans import text_of

METHODS: dict[str, dict[str, Any]] = {
    "gradient_difference": {"lr": 1e-5, "bound": 100.0, "retain_weight": 0.3},
    "kl_minimisation": {"lr": 1e-5, "bound": 100.0, "retain_weight": 0.3},
    "npo": {"lr": 1e-5, "retain_weight": 0.3},
    "simnpo": {"lr": 1e-5, "retain_weight": 0.3},
    "wga": {"lr": 1e-5, "retain_weight": 0.3},
    "dpo": {"lr": 1e-5, "retain_weight": 0.3},
    "undial": {"lr": 4e-5},
    "rmu": {"lr": 1e-4, "retain_weight": 100.0},
}
STEPS = (6, 9, 14)
TRACES = ["weight_delta", "cka", "pca_shift", "logit_lens", "curvature", "patching_depth", "spectral_fingerprint"]
SETS = [{"recipe": "source", "source": "other_capitals"}, {"recipe": "source", "source": "unrelated"}]


def documents() -> Iterator[dict[str, Any]]:
    """Yield the plan of every state."""
    base = tomllib.loads(text_of("capitals"))
    for method, fields in METHODS.items():
        for steps in STEPS:
            own = {"name": f"{method}-{steps}", "unlearn": {"method": method, "steps": steps, "batch_size": 24, **fields}}
            attack = {**base["attacks"][0], "probe_at": [2, 4, 8]}
            yield {**base, **own, "relearn_sets": SETS, "attacks": [attack], "traces": {"names": TRACES, "roles": ["subject"]}}


def main() -> None:
    """Carry out every run that is not finished; one that fails is told and left behind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--only", nargs="+", choices=METHODS, default=list(METHODS), help="some of the methods, so that two processes can share the work"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what the first run would take")
    options = parser.parse_args()
    made = [plan for plan in map(plans.resolve, documents()) if plan.unlearn and plan.unlearn.action.name in options.only]
    if options.dry_run:
        print(pricing.tree(pricing.price(made[0])), f"\n\n{len(made)} such runs")
        return
    for plan in made:
        try:
            runner.run(plan, options.out / plan.name, quiet=True)
            print(f"done    {plan.name}", flush=True)
        except VestigeError as error:
            print(f"failed  {plan.name}: {error}", flush=True)


if __name__ == "__main__":
    main()
