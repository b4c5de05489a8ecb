"""What ``netopt harp`` does, step by step: check, train and keep the state, write, report."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netopt.cli.exits import Exit, complain
from netopt.cli.harp_progress import epoch_bar
from netopt.cli.harp_report import content_of, print_report
from netopt.cli.outputs import check_outputs
from netopt.cli.report import print_json
from netopt.errors import InputError, InvalidOptionError
from netopt.pruning.harp.data_file import LabelledImages, read_data
from netopt.pruning.harp.memory import check_memory, estimate_memory, free_memory
from netopt.pruning.harp.picture import check_picture, draw_rates

if TYPE_CHECKING:
    from netopt.network.network import Network
    from netopt.pruning.harp.options import HarpOptions
    from netopt.pruning.harp.result import HarpResult
    from netopt.pruning.harp.training import HarpTraining

#: Steps of the attack that pruned networks are tested with.
_TEST_STEPS = 50


@dataclass(frozen=True, slots=True)
class Files:
    """Where a training writes.

    Attributes
    ----------
    output, mask, dense, plot : the pruned network, its mask, the pretrained network, the picture of the rates.
    checkpoint : the state after the last epoch; removed in the end unless the user named it.
    named : whether the user did.
    """

    output: Path
    mask: Path | None
    dense: Path | None
    plot: Path | None
    checkpoint: Path
    named: bool

    def check(self, *, pretrains: bool, resume: bool) -> None:
        """Refuse, before hours of training, what could not be written after them.

        Raises
        ------
        InputError
            A folder is missing or closed, or a file makes no sense for this training.
        """
        check_outputs(self.output, self.mask, self.dense, self.plot, self.checkpoint)
        if self.dense is not None and not pretrains:
            raise InvalidOptionError("--dense is the pretrained network; give --pretrain-epochs, or leave it out")
        if self.mask is not None and pretrains and self.dense is None:
            raise InvalidOptionError("--mask is about the pretrained network; write that, too, with --dense")
        if self.plot is not None:
            check_picture(self.plot)
        if resume and not self.checkpoint.exists():
            raise InputError(f"there is no checkpoint {self.checkpoint} to resume from; leave --resume out")
        if not resume and self.checkpoint.exists():
            raise InputError(
                f"{self.checkpoint} holds a training that was not finished; give --resume to go on, or remove the file"
            )


def run(
    network: Network,
    data: Path,
    options: HarpOptions,
    files: Files,
    *,
    samples: int | None,
    test_samples: int,
    resume: bool,
    memory_limit: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train, and print the report.

    Raises
    ------
    InputError
        Data, network and options do not fit one another, or memory does not suffice.
    """
    begun = time.perf_counter()
    training_data, test_data = read_data(data, network, samples, test_samples)
    tests = 0 if test_data is None else len(test_data.labels)
    needed = estimate_memory(network, options, len(training_data.labels), tests)
    if not quiet:
        complain(f"the training needs up to about {needed / 2**30:.2f} GB of memory")
    check_memory(needed, free_memory(options.device))
    if memory_limit is not None:
        check_memory(needed, int(memory_limit * 2**30))

    from netopt.gpu.device import array_library
    from netopt.pruning.harp.training import HarpTraining

    array_library(options.device)
    training = HarpTraining(network, training_data.images, training_data.labels, options)
    if resume:
        training.load(files.checkpoint)
    _train(training, options, files, as_json=as_json, quiet=quiet)
    result = training.result()
    _write(result, files)
    shares = None if test_data is None else _test(result, test_data, options)
    content = content_of(network, options, result, shares, needed, time.perf_counter() - begun)
    if as_json:
        print_json(content)
    else:
        print_report(content)
    if not files.named:
        files.checkpoint.unlink(missing_ok=True)


def _train(training: HarpTraining, options: HarpOptions, files: Files, *, as_json: bool, quiet: bool) -> None:
    """Run the epochs that are left; the state is on disk after each."""
    before = len(training.state.history)
    total = options.pretrain_epochs + options.epochs + options.finetune_epochs
    try:
        with epoch_bar(total, before, quiet=quiet) as (after_epoch, after_step):
            for epoch in training.epochs(after_step):
                training.save(files.checkpoint)
                after_epoch(epoch)
    except KeyboardInterrupt:
        done = files.checkpoint.exists()
        complain(
            f"interrupted; the last whole epoch is in {files.checkpoint}, and --resume goes on from there"
            if done
            else "interrupted before the end of the first epoch; begin again"
        )
        if as_json:
            checkpoint = str(files.checkpoint) if done else None
            print_json({"schema": 1, "command": "harp", "status": "interrupted", "checkpoint": checkpoint})
        raise click.exceptions.Exit(Exit.INTERRUPTED) from None


def _write(result: HarpResult, files: Files) -> None:
    from netopt.network.load import load_network
    from netopt.network.onnx_writer import write_onnx

    write_onnx(result.network, files.output)
    mask = result.mask
    if files.dense is not None:
        write_onnx(result.dense, files.dense)
        mask = replace(mask, network_sha256=load_network(files.dense).sha256)  # a mask names the file it is about
    if files.mask is not None:
        mask.save(files.mask)
    if files.plot is not None:
        draw_rates(result, files.plot)


def _test(result: HarpResult, data: LabelledImages, options: HarpOptions) -> dict[str, Any]:
    """Return the share of test images that the dense and the pruned network read rightly, as they are and attacked."""
    from netopt.pruning.harp.accuracy import read_rightly
    from netopt.pruning.harp.losses import Attack

    step = 2.5 * options.epsilon / _TEST_STEPS
    attack = Attack(options.epsilon, step, _TEST_STEPS, options.lower, options.upper)
    shares: dict[str, Any] = {"images": len(data.labels), "attack_steps": _TEST_STEPS}
    for name, network in (("dense", result.dense), ("pruned", result.network)):
        shares[name] = {
            kind: float(
                read_rightly(network, data.images, data.labels, chosen, seed=options.seed, device=options.device).mean()
            )
            for kind, chosen in (("clean", None), ("attacked", attack))
        }
    return shares
