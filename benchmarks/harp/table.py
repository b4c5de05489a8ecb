"""Tables of results.csv and proofs.csv as Markdown, and the picture of the learned rates.

``python -m benchmarks.harp.table [--results FOLDER] [--readme]`` prints the tables and writes rates.svg beside the
results; with ``--readme`` the tables replace the section "Results" of the README.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from benchmarks.harp.cases import ARCHITECTURES, DATASETS, HERE, KEEPS, METHODS

_SECTIONS = """
{}

Points of accuracy under attack by which HARP is ahead:

{}

At 1.5 times the radius:

{}
"""
#: Verdicts that say a point within the radius is misread.
_REFUTED = ("misread", "attacked", "sat")


def accuracies(results: pd.DataFrame, proofs: pd.DataFrame) -> str:
    """Return a row a network: clean, attacked, proved; in percent."""
    key = ["dataset", "network", "method", "keep"]
    trained_for = proofs[(proofs["factor"] == 1.0) & proofs["prune"].isna()]
    robust = trained_for.groupby(key)["verdict"].agg(
        proved=lambda verdicts: (verdicts == "unsat").mean(),
        open=lambda verdicts: (~verdicts.isin(("unsat", *_REFUTED))).mean(),
    )
    ordered = results.sort_values(["dataset", "network", "keep"], ascending=False, kind="stable")
    table = ordered.set_index(key).join(robust, how="left").reset_index()
    for name in ("clean", "attacked", "proved", "open"):
        table[name] = (100.0 * table[name]).round(1)
    for name in ("keep", "kept"):
        table[name] = (100.0 * table[name]).map("{:.3g}".format)
    shown = [*key, "kept", "met", "clean", "attacked", "proved", "open", "training_cpu_seconds"]
    return markdown(table[shown])


def differences(results: pd.DataFrame) -> str:
    """Return by how many points HARP is ahead of each other method under attack."""
    table = results[results["method"] != "dense"].pivot_table(
        index=["dataset", "network", "keep"], columns="method", values="attacked"
    )
    ahead = table.rsub(table["harp"], axis=0).drop(columns="harp").mul(100.0).round(1)
    return markdown(ahead[[name for name in METHODS if name in ahead]].reset_index())


def times(proofs: pd.DataFrame) -> str:
    """Return, for the larger radius, how many images were decided and in what time, with and without surrogates.

    Only images that the attack does not break are compared.
    """
    key = ["dataset", "network", "method", "keep"]
    hard = proofs[proofs["factor"] > 1.0].fillna({"prune": "none"})
    broken = hard.loc[hard["verdict"].isin(("misread", "attacked")), [*key, "image"]].drop_duplicates()
    marked = hard.merge(broken, how="left", indicator="among")
    asked = marked[marked["among"] == "left_only"]
    by = ["dataset", "network", "keep", "prune"]
    grouped = asked.sort_values(by, ascending=[False] * 4).groupby([*key, "prune"], sort=False)
    table = grouped.agg(
        images=("image", "size"),
        proved=("verdict", lambda verdicts: (verdicts == "unsat").sum()),
        refuted=("verdict", lambda verdicts: (verdicts == "sat").sum()),
        median_cpu_seconds=("cpu_seconds", "median"),
        total_cpu_seconds=("cpu_seconds", "sum"),
    )
    return markdown(table.round(2).reset_index())


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown."""
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)


def draw_rates(results: pd.DataFrame, path: Path) -> None:
    """Draw the share of its weights that each layer keeps under HARP, one panel a network."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "rates"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(DATASETS), len(ARCHITECTURES), figsize=(8.0, 6.0), sharey=True, squeeze=False)
    for i, dataset in enumerate(DATASETS):
        for j, architecture in enumerate(ARCHITECTURES):
            axis = axes[i][j]
            for keep in KEEPS:
                own = results.query(
                    "dataset == @dataset and network == @architecture and method == 'harp' and keep == @keep"
                )
                for rates in map(json.loads, own["rates"]):
                    (line,) = axis.plot(range(len(rates)), list(rates.values()), "o-", label=f"keep {keep:g}")
                    axis.axhline(keep, color=line.get_color(), linewidth=0.6, linestyle=":")
                    axis.set_xticks(range(len(rates)), [name.removesuffix(".affine") for name in rates])
            axis.set_yscale("log")
            axis.set_title(f"{dataset}, {architecture}")
            axis.set_ylabel("share of the layer's weights kept" if j == 0 else "")
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print the tables and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE, help="folder of the CSV files")
    parser.add_argument("--readme", action="store_true", help="write the tables into the README")
    arguments = parser.parse_args()
    folder = arguments.results
    results, proofs = pd.read_csv(folder / "results.csv"), pd.read_csv(folder / "proofs.csv")
    text = _SECTIONS.format(accuracies(results, proofs), differences(results), times(proofs))
    print(text)
    draw_rates(results, folder / "rates.svg")
    if arguments.readme:
        readme = HERE / "README.md"
        before, heading, _ = readme.read_text().partition("## Results\n")
        readme.write_text(before + heading + text)


if __name__ == "__main__":
    main()
