"""What the desk takes for 200,000 records: from a file of lines to the verdict, in seconds and peak memory. Prints a table.

    OMP_NUM_THREADS=1 python benchmarks/desk_scale.py [--records 200000]

A run with planted levels, made by `tests/synthetic.py` in the shape of the customers' (72 test and 24 selection probes of eight candidates,
four relearn sets, four steps, greedy answers beside the candidates), with as many seeds as give that many records, is written to a
temporary file, one JSON line each. Each row of the table is a process of its own that imports the desk alone, reads line by line, scores
every record and estimates everything a verdict holds: with the scores that every audit reads (`metrics.TABLE`), and with all of
`metrics.TOKENS` in their place. "whole ledger first" reads all lines into memory before, as `vestige verify` does. The chain of hashes is
not checked. Seconds are the processor's; memory is the highest resident size of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
BAR_SECONDS, BAR_MIB = 60, 1024
ROWS = ("TABLE", "TOKENS", "TABLE, whole ledger first")


def lines(records: int) -> Iterator[dict[str, Any]]:
    """Yield the lines of a run with at least so many records, and stop after the cell that reaches them."""
    from synthetic import UNRELATED, Run

    fields: dict[str, Any] = {"test": 18, "selection": 6, "per_cluster": 4, "k": 8, "greedy": True, "probe_at": (2, 4, 6, 8)}
    fields["sets"] = ("hints", "attributes", "others", UNRELATED)
    one = sum(_is_record(line) for line in Run(**fields, seeds=(0,)).lines())
    run = Run(**fields, seeds=tuple(range(-(-records // one))))
    put = "text:".__add__
    yield from ({"kind": "measurement", "body": body} for body in run._leak_checks(put))
    yield {"kind": "header", "body": run.header(put)}
    for cell, arm in {arm["cell"]: arm for arm in run.design()}.items():
        yield from run._cell(cell, arm, put)


def _is_record(line: dict[str, Any]) -> bool:
    return line["kind"] in ("score_tokens", "answer")


def write(path: Path, records: int) -> int:
    """Write the run and return how many records it has."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for line in lines(records):
            for candidate in line["body"].get("candidates", ()):
                candidate |= {"bytes": 24, "zlib_bytes": 31}
            count += _is_record(line)
            file.write(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n")
    return count


def measure(path: Path, row: str) -> dict[str, Any]:
    """Judge the run in this very process, and return what that took."""
    started = time.process_time()
    from vestige.desk import metrics
    from vestige.desk.audit import audit

    if row == "TOKENS":
        metrics.TABLE.update(metrics.TOKENS)
    with path.open(encoding="utf-8") as file:
        read = (json.loads(line) for line in file)
        verdict = audit(list(read) if "whole" in row else read, lambda ref: ref.removeprefix("text:"))
    assert "torch" not in sys.modules
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": time.process_time() - started, "mib": peak, "verdict": verdict["verdict"], "scores": len(metrics.TABLE)}


def main() -> None:
    """Write the run once, measure each row in a process of its own, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--measure", nargs=2, metavar=("FILE", "ROW"), help="used by the program itself")
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(measure(Path(chosen.measure[0]), chosen.measure[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.jsonl"
        count = write(path, chosen.records)
        print(f"{count:,} records, {path.stat().st_size / 2**20:.0f} MiB; at most {BAR_SECONDS} s and {BAR_MIB:,} MiB are asked for\n")
        print("| scores | a record of candidates | verdict | seconds | peak MiB |\n|---|--:|---|--:|--:|")
        for row in ROWS:
            command = [sys.executable, __file__, "--measure", str(path), row]
            found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            print(f"| {row} | {found['scores']} | {found['verdict']} | {found['seconds']:.1f} | {found['mib']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
