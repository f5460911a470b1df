"""The selftest: the scores of a metric by hand, and a whole selftest of tiny models."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from inline import InlinePool
from test_runner import write_case
from vestige import runner, selftest
from vestige.cli import main
from vestige.desk import metrics
from vestige.desk import selftest as desk
from vestige.desk.report.selftest import markdown, text
from vestige.desk.selftest import NEVER, QUANTISE, RELEARN, UNLEARNED, State, alike
from vestige.errors import LedgerError, PlanError
from vestige.records import Missing

PLAN = """\
vestige = 1
attacked = ["subject", "never_exposed"]
[model]
name = "{model}"
[case]
name = "folder"
path = "case"
[[pools]]
name = "one"
seeds = [0]
learn = {{ lr = 6e-3, epochs = 25, batch_size = 4 }}
unlearn = {{ method = "gradient_difference", lr = 1e-3, steps = 3, batch_size = 4 }}
[[pools]]
name = "two"
seeds = [1]
learn = {{ lr = 6e-3, epochs = 12, batch_size = 4 }}
unlearn = {{ method = "npo", lr = 1e-3, steps = 3, batch_size = 4 }}
[[relearn_sets]]
recipe = "source"
source = "forget"
[[attacks]]
method = "relearn"
steps = 2
probe_at = [1, 2]
[[attacks]]
method = "quantise"
[ask]
max_new = 1
[traces]
names = ["logit_lens"]
[run]
workers = 1
"""


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_alike_is_one_for_equals_and_falls_with_the_distance() -> None:
    # |3 - 1| / (3 + 1) = 1/2; opposite signs: |2 - -1| / 3 = 1; nothing against something: 1.
    assert (alike(2, 2), alike(3, 1), alike(1, 3), alike(2, -1), alike(0, 5), alike(0, 0)) == (1, 0.5, 0.5, 0, 0, 1)


def states(readings: Mapping[tuple[str, str | None], float | Missing], *, seed: int = 0) -> list[State]:
    return [State("run", role, seed, attack, {"m": value}) for (role, attack), value in readings.items()]


def test_r_compares_what_relearning_adds_in_the_unlearned_and_in_the_never_exposed_model() -> None:
    # Unlearned .1 -> .5 (+.4), never exposed .1 -> .3 (+.2): 1 - .2/.6 = 2/3. Quantised .1 -> .3: 1 - .2/.4 = 1/2.
    made = states(
        {
            ("original", None): 0.9,
            (NEVER, None): 0.1,
            (NEVER, RELEARN): 0.3,
            (UNLEARNED, None): 0.1,
            (UNLEARNED, RELEARN): 0.5,
            (UNLEARNED, QUANTISE): 0.3,
        }
    )
    found = desk._metric("m", made)
    assert found["relearning"] == pytest.approx(2 / 3)
    assert found["quantisation"] == pytest.approx(1 / 2)
    assert found["robustness"] == pytest.approx(2 / (3 / 2 + 2))  # harmonic mean of 2/3 and 1/2
    assert found["faithfulness"]["value"] == 1.0
    assert found["overall"] == pytest.approx(2 / (1 + (3 / 2 + 2) / 2))


def test_one_reading_that_is_missing_makes_the_score_missing_with_its_reason() -> None:
    made = states(
        {
            ("original", None): Missing("no spread"),
            (NEVER, None): 0.1,
            (NEVER, RELEARN): 0.3,
            (UNLEARNED, None): 0.1,
            (UNLEARNED, RELEARN): 0.5,
        }
    )
    found = desk._metric("m", made)
    assert found["faithfulness"] == {"missing_reason": "no spread"}
    assert found["quantisation"] == {"missing_reason": "no unlearned model was attacked so"}
    assert found["relearning"] == pytest.approx(2 / 3)
    assert "missing_reason" in found["overall"]


def test_every_metric_of_memory_has_a_side_and_the_sides_agree_on_an_answer_that_is_known() -> None:
    """A sure answer among unsure ones reads higher in every metric, once turned, than the same answer barely said."""

    def record(own: float) -> list[dict[str, Any]]:
        sd, entropy = (0.5, -own) if own < -0.5 else (2.0, 0.2)
        wrong = [{"candidate": f"wrong:{i}", "logp": [-3.0 - i, -3.0], "bytes": 6} for i in range(3)]
        return [
            {
                "candidate": "true",
                "logp": [own, own],
                "top1": [int(own > -1)] * 2,
                "sd": [sd, sd],
                "entropy": [entropy] * 2,
                "bytes": 6,
                "zlib_bytes": 12,
            },
            *wrong,
        ]

    known, unknown = record(-0.1), record(-4.0)
    for name, metric in metrics.TOKENS.items():
        sure, unsure = (desk._turned(name, metric(r)) for r in (known, unknown))
        assert not isinstance(sure, Missing), name
        assert not isinstance(unsure, Missing), name
        assert sure >= unsure, name


# --- whole ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plan(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("selftest")
    write_case(folder / "case")
    path = folder / "plan.toml"
    path.write_text(PLAN.format(model=model), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "selftest"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "Pool", InlinePool)
        selftest.run(out, plan, quiet=True)
    return out


def test_a_selftest_scores_every_metric_over_all_pools(made: Path) -> None:
    result = json.loads((made / "selftest.json").read_bytes())
    assert result["models"] == {"original": 2, "never_exposed": 2, "subject": 2}
    found = {m["metric"]: m for m in result["metrics"]}
    assert {*metrics.TOKENS, "keyword", "rouge_l_recall", "exact_match", "forget_quality", "auc_loss", "logit_lens_logp"} <= set(found)
    assert not {"repetition", "word_entropy", "off_language"} & set(found)
    # Those that learned the cities tell them by choice, those that did not cannot: all four pairs.
    assert found["choice"]["faithfulness"]["value"] == 1.0
    assert (found["choice"]["faithfulness"]["above"], found["choice"]["faithfulness"]["below"]) == (2, 2)
    assert all(0 <= found["choice"][score] <= 1 for score in ("relearning", "quantisation", "robustness", "overall"))
    assert "missing_reason" in found["logit_lens_logp"]["relearning"]


def test_a_selftest_again_is_the_same_and_trains_nothing(made: Path, plan: Path) -> None:
    before = {p.name: p.read_bytes() for p in made.iterdir() if p.is_file()}
    told = CliRunner().invoke(main, ["selftest", "--plan", str(plan), "--out", str(made), "--quiet", "--json"])
    assert (told.exit_code, json.loads(told.stdout)) == (0, json.loads(before["selftest.json"]))
    assert {p.name: p.read_bytes() for p in made.iterdir() if p.is_file()} == before


def test_the_tables_hold_every_metric_the_best_first(made: Path) -> None:
    result = json.loads((made / "selftest.json").read_bytes())
    for shown in (text(result), markdown(result)):
        assert all(m["metric"] in shown for m in result["metrics"])
        assert shown.index("choice") < shown.index("logit_lens_depth")  # which has no whole
    assert "`logit_lens_logp`, relearning: " in markdown(result)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError):
        desk.selftest([tmp_path])


@pytest.mark.parametrize(
    ("pools", "said"),
    [
        ("", "expected one table or more"),
        ('[[pools]]\nname = "a"', "expected the keys name, seeds, learn, unlearn; seen name"),
        ("pools = 3", "seen 3"),
    ],
)
def test_a_plan_whose_pools_do_not_fit_says_so(tmp_path: Path, pools: str, said: str) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(pools, encoding="utf-8")
    with pytest.raises(PlanError, match=said):
        selftest.pools(file)


def test_the_built_in_selftest_makes_six_models_of_each_kind_by_three_methods() -> None:
    made = selftest.pools()
    assert sum(len(plan.seeds.values) for plan in made.values()) == 6
    assert len({plan.unlearn.action.name for plan in made.values() if plan.unlearn}) == 3
    assert "well-learned" in selftest.priced()


def test_the_page_holds_the_result_that_is_kept() -> None:
    path = Path(__file__).parents[1] / "tools" / "write_selftest.py"
    spec = importlib.util.spec_from_file_location("write_selftest", path)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    page = tool.PAGE.read_text(encoding="utf-8")
    assert tool.written(page) == page
