"""The plan as a graph of cells: which model states are made from which, on what data, and when they are asked.

A cell is addressed by the digest of everything that decides its result: parents by role, action with all fields and
its `semantics`, data, seed, stop rule, torch version, device and arithmetic. Equal cells are computed once.
Arms are generated per (attack, relearn set, fold, seed); nobody writes them by hand. An attack that trains on no text has one arm, not
one for each relearn set: it stands in the design as a set of its own, called by the attack's name, without a relearn set.
A tuning has an arm for each trial.
"""

from __future__ import annotations

import dataclasses
import hmac
import importlib.metadata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from vestige.cells import Arm, Ask, Cell, Graph
from vestige.errors import PlanError
from vestige.plan import Attack, Choice, Plan, Step, Stop
from vestige.plan_tuning import TuningPlan
from vestige.records import Case, Group, Probe, RelearnSet, Row, canonical, plain

# Seeds of the never-exposed twins: far from any seed of a plan, and from each other.
TWIN_SEED = 1_000
SECOND_TWIN_SEED = 2_000
_DIGITS = 32


@dataclass(frozen=True)
class Source:
    """What a graph is built from: plan, case, the relearn sets by probe group, and the run's key."""

    plan: Plan
    case: Case
    sets: Mapping[Group, tuple[RelearnSet, ...]]
    fingerprints: Mapping[str, str]
    key: bytes = b""

    def keyed(self, value: Any) -> str:
        """Return the keyed digest of a value."""
        return hmac.new(self.key, canonical(value), sha256).hexdigest()[:_DIGITS]


def build(source: Source) -> Graph:
    """Return the graph of a plan."""
    builder = _Builder(source, Graph())
    for seed in source.plan.seeds.values:
        if isinstance(source.plan, TuningPlan):
            builder.tuning_arms(source.plan, seed)
            return builder.graph
        if source.plan.audits_a_checkpoint:
            builder.checkpoint_arms(seed)
        else:
            builder.made_arms(seed)
    builder.graph.audits = audits(source.plan, source.case, {a.role for a in builder.graph.arms})
    return builder.graph


@dataclass
class _Builder:
    source: Source
    graph: Graph

    def made_arms(self, seed: int) -> None:
        """Add the arms of a plan that learns (or takes pre-trained knowledge) and unlearns."""
        plan, case = self.source.plan, self.source.case
        original, twins = self.learned(seed, {"never_exposed": TWIN_SEED, "never_exposed_2": SECOND_TWIN_SEED})
        states = {"original": original, **twins}
        rows = {"forget": case.forget, "retain": case.retain}
        unlearn_seed = self._seed(seed, "unlearn")
        assert plan.unlearn is not None
        states["subject"] = self.act("subject", plan.unlearn, original, rows, unlearn_seed)
        if twins and plan.sham:
            sham = dataclasses.replace(plan.unlearn, stop=None)
            steps_as = states["subject"]
            states["sham"] = self.act("sham", sham, twins["never_exposed"], rows, unlearn_seed, steps_as=steps_as)
        for role, step in (("positive", plan.liar), ("broken", plan.broken)):
            if step:
                states[role] = self.act(role, step, original, rows, unlearn_seed)
        self.attacks(states, seed)

    def learned(self, seed: int, twins: Mapping[str, int]) -> tuple[str, dict[str, str]]:
        """Add the original, and never-exposed models by role and distance of their seeds; knowledge of pre-training has none."""
        plan, case = self.source.plan, self.source.case
        base = self.load("base", plan.models.name)
        if not plan.learn:
            return base, {}
        learn_seed = self._seed(seed, "learn")
        original = self.act("original", plan.learn, base, {"train": case.forget + case.retain}, learn_seed)
        rows = {"train": case.retain}
        return original, {role: self.act(role, plan.learn, base, rows, learn_seed + offset) for role, offset in twins.items()}

    def tuning_arms(self, plan: TuningPlan, seed: int) -> None:
        """Add the original, a never-exposed model and every trial, asked the selection probes alone: test probes are for the run after it.

        Raises:
            PlanError: there are no selection probes with distractors of what is to go, or of what is to stay.
        """
        case = self.source.case
        chosen = tuple(p for p in case.probes if (p.split, p.wording) == ("selection", "primary") and p.distractors and p.group != "decoy")
        for groups in (("forget",), ("retain", "utility")):
            if not any(p.group in groups for p in chosen):
                raise PlanError(f"[tune]: case {case.name!r} has no selection probes with distractors of {' or '.join(groups)}")
        original, twins = self.learned(seed, {"never_exposed": TWIN_SEED})
        rows, unlearn_seed = {"forget": case.forget, "retain": case.retain}, self._seed(seed, "unlearn")
        for role, cell in {"original": original, **twins}.items():
            self.graph.arms.append(Arm(cell, role, seed))
            self._ask(cell, [Ask("end", "choice", chosen)])
        for trial in plan.trials:
            cell = self.act(trial.role, Step(trial.action), original, rows, unlearn_seed)
            self.graph.arms.append(Arm(cell, trial.role, seed))
            self._ask(cell, [Ask(step, "choice", chosen) for step in trial.looks])

    def checkpoint_arms(self, seed: int) -> None:
        """Add the arms of an audit of somebody's checkpoint: only the attack's seed varies."""
        plan, case, models = self.source.plan, self.source.case, self.source.plan.models
        named = {"subject": models.unlearned, "original": models.original, "never_exposed": models.twin}
        states = {role: self.load(role, name) for role, name in named.items() if name}
        if plan.liar and "original" in states:
            rows = {"forget": case.forget, "retain": case.retain}
            states["positive"] = self.act("positive", plan.liar, states["original"], rows, 0)
        self.attacks(states, seed)
        if plan.liar and "original" not in states and plan.teach:
            self.taught_liar(states["subject"], plan.teach, plan.liar, seed)

    def taught_liar(self, subject: str, teach: Step, liar: Step, seed: int) -> None:
        """Make the liar from the subject: teach a copy the decoy entries, then mask them."""
        case = self.source.case
        taught = self.act("taught", teach, subject, {"train": case.decoy + case.retain}, 0)
        masked = self.act("positive", liar, taught, {"forget": case.decoy, "retain": case.retain}, 0, group="decoy")
        states = {"taught": taught, "untaught": subject, "positive": masked}
        self.attacks(states, seed, attacked=("positive", "untaught"), group="decoy")

    def attacks(self, states: Mapping[str, str], seed: int, *, attacked: tuple[str, ...] | None = None, group: Group = "forget") -> None:
        """Add every arm at rest, and every attacked arm per attack, relearn set and fold."""
        for role, cell in states.items():
            self.graph.arms.append(Arm(cell, role, seed))
            self._ask(cell, self._at_rest())
        for role in attacked or self.source.plan.attacked:
            if role in states:
                for number, attack in enumerate(self.source.plan.attacks):
                    reads = "relearn" in attack.action.made.needs
                    for chosen in self.source.sets[group] if reads else (None,):
                        self._attack(Arm(states[role], role, seed), number, chosen, group)

    def _attack(self, rest: Arm, number: int, chosen: RelearnSet | None, group: Group) -> None:
        """Add the folds of one (arm, attack, relearn set), or the one arm of an attack that trains on no text."""
        attack, seed = self.source.plan.attacks[number], rest.seed
        attack_seed = self._seed(seed, "attack")
        name = attack_name(self.source.plan, number)
        asked = self.source.case.asked(group, wording="*")
        if chosen is None:
            cell = self._cell(f"{rest.role} · {name} · seed {seed}", attack.action, rest.cell, {}, attack_seed)
            self._ask(cell, self._along(attack, asked, first_fold=True))
            self.graph.arms.append(Arm(cell, rest.role, seed, name, name))
            return
        where = chosen.name if len(self.source.plan.attacks) == 1 else f"{chosen.name} ({name})"
        for part, fold in enumerate(chosen.folds):
            label = f"{rest.role} · {where}/{part} · seed {seed}"
            cell = self._cell(label, attack.action, rest.cell, {"relearn": fold.rows}, attack_seed)
            probes = tuple(p for p in asked if p.id in set(fold.asks))
            self._ask(cell, self._along(attack, probes, first_fold=part == 0))
            self.graph.arms.append(Arm(cell, rest.role, seed, name, where, chosen.name, part))

    def load(self, role: str, model: str) -> str:
        """Add the cell of a model that is loaded as it is."""
        print_ = self.source.fingerprints[model]
        digest = self.source.keyed({"load": print_, **_environment(self.source.plan)})
        cell = Cell(digest, f"{role} · {model}", "load", None, model, None, None, {}, 0, None, ())
        self.graph.cells.setdefault(digest, cell)
        return digest

    def act(
        self,
        role: str,
        step: Step,
        parent: str,
        data: Mapping[str, tuple[Row, ...]],
        seed: int,
        *,
        steps_as: str | None = None,
        group: Group = "forget",
    ) -> str:
        """Add the cell of an action of the plan; its stop rule looks at `group` unless it names another."""
        stop = step.stop
        if stop and stop.group == "forget":
            stop = dataclasses.replace(stop, group=group)
        needs = getattr(step.action.made, "needs", ())
        used = {name: rows for name, rows in data.items() if name in needs}
        return self._cell(f"{role} · {step.action.name} · seed {seed}", step.action, parent, used, seed, stop, steps_as)

    def _cell(
        self,
        label: str,
        action: Choice,
        parent: str,
        data: Mapping[str, tuple[Row, ...]],
        seed: int,
        stop: Stop | None = None,
        steps_as: str | None = None,
    ) -> str:
        probes = self.source.case.asked(stop.group, "selection") if stop else ()
        address = {
            "parents": {"start": parent, "steps_as": steps_as},
            "action": action.described(),
            "semantics": action.made.semantics,
            "data": {name: self.source.keyed(rows) for name, rows in data.items()},
            "seed": seed,
            "stop": [plain(stop), self.source.keyed(probes)],
            **_environment(self.source.plan),
        }
        digest = self.source.keyed(address)
        cell = Cell(digest, label, action.name, action.made, None, parent, steps_as, data, seed, stop, probes)
        self.graph.cells.setdefault(digest, cell)
        return digest

    def _ask(self, digest: str, asks: Iterable[Ask]) -> None:
        cell = self.graph.cells[digest]
        merged = (*cell.asks, *(a for a in asks if a.probes and a not in cell.asks))
        self.graph.cells[digest] = dataclasses.replace(cell, asks=merged)

    def _at_rest(self) -> list[Ask]:
        case = self.source.case
        primary = {p.group for p in case.probes}
        choice = tuple(p for p in case.probes if p.distractors)
        spoken: tuple[Probe, ...] = case.asked("forget", wording="*")
        if "retain" in primary:
            spoken += case.asked("retain")
        return [Ask("end", "choice", choice), Ask("end", "greedy", spoken)]

    def _along(self, attack: Attack, probes: tuple[Probe, ...], *, first_fold: bool) -> list[Ask]:
        """Primary forget probes at every probe step; other wordings, decoy, retain and utility at the last, if at all."""
        primary = tuple(p for p in probes if p.wording == "primary")
        late = self.source.plan.ask.others == "ends"
        others = tuple(p for p in probes if p.wording != "primary" and late)
        last = attack.probe_at[-1]
        if first_fold and late:
            asked_groups = {p.group for p in probes}
            case_probes = self.source.case.probes
            others += tuple(p for p in case_probes if p.group not in asked_groups | {"forget"} and p.distractors)
        asks = [Ask(step, "choice", primary) for step in attack.probe_at]
        asks.append(Ask(last, "choice", tuple(p for p in others if p.distractors)))
        greedy_steps = attack.probe_at if self.source.plan.ask.greedy == "every" else (last,)
        asks += [Ask(step, "greedy", primary) for step in greedy_steps]
        asks.append(Ask(last, "greedy", tuple(p for p in others if p.wording != "primary")))
        return asks

    def _seed(self, seed: int, stream: str) -> int:
        return seed if stream in self.source.plan.seeds.vary else 0


def attack_name(plan: Plan, number: int) -> str:
    """Return the name of an attack of the plan, numbered where several have one name."""
    names = [a.action.name for a in plan.attacks]
    return names[number] if names.count(names[number]) == 1 else f"{names[number]} {number + 1}"


def _environment(plan: Plan) -> dict[str, str]:
    version = ".".join(importlib.metadata.version("torch").split("+")[0].split(".")[:2])
    return {"torch": version, "device": plan.models.device}


def _unrelated(recipe: Choice) -> bool:
    return recipe.name == "unrelated" or (recipe.name == "source" and recipe.made.source == "unrelated")


def audits(plan: Plan, case: Case, roles: set[str]) -> list[dict[str, Any]]:
    """Return what is audited against what; the first audit gives the verdict of the run."""
    unrelated = "unrelated" if any(_unrelated(s.action) for s in plan.relearn_sets) else None
    planted = case.knowledge == "planted" and "never_exposed" in roles
    common = {
        "positive": "positive" if "positive" in roles else None,
        "unrelated": unrelated,
        "knowledge": case.knowledge,
        "asserted_lineage": False,
        "original": "original" if "original" in roles else None,
    }

    def row(name: str, subject: str, control: str | None, **more: Any) -> dict[str, Any]:
        return {"name": name, "subject": subject, "control": control, "attacked": True, **common, **more}

    control = "never_exposed" if planted else None
    rows = [row("unlearned", "subject", control)]
    if "never_exposed_2" in roles:
        rows.append(row("twin", "never_exposed", "never_exposed_2"))
    if "taught" in roles:
        rows.append(row("liar", "positive", "untaught", original="taught", group="decoy"))
    elif "positive" in roles:
        rows.append(row("liar", "positive", control))
    if "broken" in roles:
        rows.append(row("broken", "broken", control, attacked="broken" in plan.attacked))
    return rows
