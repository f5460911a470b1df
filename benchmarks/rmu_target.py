"""Do RMU's activations reach their target, and do the retained ones stay? (Li et al. 2024, arXiv 2403.03218, section 4.) Prints a table.

The customers of `benchmarks/tune_customers.toml` on a model as it was loaded. Squared lengths are means over tokens and rows at RMU's
layer: of the forget states, of their distance to the target (steering u; of adaptive RMU scale ||h_ref|| u), of how far forgotten and
retained states have moved. At published fields (rate 5e-5, steering 6.5 or scale 5, retain weight 1200) and at stronger ones: of RMU tried
until something moved, of adaptive RMU what tuning chose (it chose 32 steps).

    OMP_NUM_THREADS=1 python benchmarks/rmu_target.py [--write]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from method_cost import cell_of

from vestige.lab import losses, models
from vestige.lab.activations import remember, unit_direction
from vestige.lab.batches import encode_rows

RESULTS = Path(__file__).parent / "results" / "rmu_target.json"
SETTINGS = (
    ("rmu", {"lr": 5e-5, "steering": 6.5, "retain_weight": 1200.0}),
    ("rmu", {"lr": 1e-3, "steering": 50.0, "retain_weight": 10.0}),
    ("rmu", {"lr": 5e-3, "steering": 100.0, "retain_weight": 1.0}),
    ("adaptive_rmu", {"lr": 5e-5, "scale": 5.0, "retain_weight": 1200.0}),
    ("adaptive_rmu", {"lr": 2.28e-3, "scale": 6.09, "retain_weight": 6.9}),
)
STEPS = (0, 8, 32, 64)
_ROWS = 32


def walked(method: str, fields: dict[str, float], model: str) -> list[dict[str, Any]]:
    """Return the squared lengths along one training."""
    cell, lm = cell_of(method), models.load(model)
    action = dataclasses.replace(cell.action, steps=STEPS[-1], **fields)
    rows = {name: encode_rows(lm, cell.data[name])[:_ROWS] for name in ("forget", "retain")}
    before = {name: remember(lm, some, action.layer, "float32") for name, some in rows.items()}
    direction = unit_direction(lm.model.config.hidden_size, seed=cell.seed, device=lm.device)
    found: list[dict[str, Any]] = []

    @torch.no_grad()
    def look(step: int) -> bool:
        if step in STEPS:
            forget, retain = (before[name].look(lm, rows[name]) for name in ("forget", "retain"))
            length = action.steering if method == "rmu" else action.scale * forget.ref.norm(dim=-1, keepdim=True)
            target = length * direction
            seen = {"distance": losses.squared_distance(forget, target), "length": losses.squared_distance(forget, 0 * target)}
            seen |= {
                "forget_moved": losses.squared_distance(forget, forget.ref),
                "retain_moved": losses.squared_distance(retain, retain.ref),
            }
            found.append({"method": method, "fields": fields, "step": step, **{name: value.item() for name, value in seen.items()}})
        return False

    look(0)
    action(lm, cell.data, seed=cell.seed, on_step=look)
    return found


def main() -> None:
    """Print the table, keep the numbers if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--write", action="store_true", help="keep the numbers for docs/methods.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = [row for method, fields in SETTINGS for row in walked(method, fields, options.model)]
    for row in found:
        print(row)
    if options.write:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
