"""A campaign with the real command, on the stored digits networks, against answers earned elsewhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from instances import FOLDER, load_instances
from instances.make.witness import is_counterexample
from netopt.campaign.campaign import Limits, plan, run_campaign
from netopt.campaign.journal import read_table
from netopt.campaign.problem import read_problems
from netopt.campaign.setting import parse_setting
from netopt.campaign.summary import scored


def test_answers_are_right_and_witnesses_hold(tmp_path: Path) -> None:
    known = [instance for instance in load_instances("digits-2x10") if instance.truth in ("sat", "unsat")]
    sat = [instance for instance in known if instance.truth == "sat"][:1]
    unsat = [instance for instance in known if instance.truth == "unsat"][-1:]
    rows = [("verify", i.onnx, i.vnnlib, "", i.truth) for i in (*sat, *unsat)]
    rows.append(("maximize", FOLDER / "networks/digits-2x10.onnx", unsat[0].vnnlib, "3", ""))
    with (tmp_path / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("command", "onnx", "vnnlib", "output", "truth"), *rows])
    settings = [parse_setting("name=base,solver=highs,formulation=big-m,bounds=crown")]
    tasks = plan(read_problems(tmp_path / "list.csv"), settings, Limits(time=60.0))
    run_campaign(tasks, tmp_path / "r.parquet")
    table = scored(read_table(tmp_path / "r.parquet"))
    assert table["error"].tolist() == ["", "", ""]
    assert table["status"].tolist() == ["sat", "unsat", "optimal"]
    assert not table["wrong"].any()
    assert is_counterexample(sat[0].onnx, sat[0].vnnlib, json.loads(table["witness"][0]))
    assert table["network_sha256"].nunique() == 1
    assert table["dual_bound"][2] - table["primal_bound"][2] <= max(1e-6, 1e-4 * abs(table["primal_bound"][2]))
    assert (table["call_seconds"] < table["seconds"]).all()
    assert table["peak_memory_mb"].min() > 10
