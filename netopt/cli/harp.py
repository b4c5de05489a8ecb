"""``netopt harp``: a network pruned so that what is left withstands attacks, and trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from netopt.cli import options
from netopt.cli.command import Option, command


@command()
def harp(
    network: options.Network,
    data: Annotated[
        Path,
        Option("--data", metavar="DATA.npz", help="Images and labels: x_train, y_train, and x_test, y_test if any."),
    ],
    keep: Annotated[
        float, Option("--keep", metavar="K", help="Share of weights (with channels: of multiply-adds) to keep.")
    ],
    output: Annotated[Path, Option("--output", "-o", metavar="PRUNED.onnx", help="Write the pruned network here.")],
    mask: Annotated[
        Path | None, Option("--mask", metavar="FILE.npz", help="Write the mask of kept weights here.")
    ] = None,
    dense: Annotated[
        Path | None, Option("--dense", metavar="DENSE.onnx", help="Write the pretrained network here.")
    ] = None,
    plot: Annotated[
        Path | None, Option("--plot", metavar="FILE.png", help="Draw the layers' rates; needs netopt[plot].")
    ] = None,
    pretrain_epochs: Annotated[
        int, Option("--pretrain-epochs", min=0, metavar="N", help="Epochs of training the dense network first.")
    ] = 0,
    epochs: Annotated[int, Option("--epochs", min=0, metavar="N", help="Epochs of learning the mask.")] = 20,
    finetune_epochs: Annotated[
        int, Option("--finetune-epochs", min=0, metavar="N", help="Epochs of training what the mask keeps.")
    ] = 20,
    loss: Annotated[str, Option("--loss", metavar="NAME", help="pgd-at, trades, mart or natural.")] = "pgd-at",
    beta: Annotated[
        float | None, Option("--beta", metavar="B", help="Weight of the robust part of trades and mart.")
    ] = None,
    epsilon: Annotated[
        float, Option("--epsilon", metavar="EPS", help="Radius of the attacks in the maximum norm.")
    ] = 8.0 / 255.0,
    attack_steps: Annotated[int, Option("--attack-steps", min=1, metavar="N", help="Steps of an attack.")] = 10,
    lower: Annotated[float, Option("--lower", metavar="VALUE", help="Least value of an input.")] = 0.0,
    upper: Annotated[float, Option("--upper", metavar="VALUE", help="Largest value of an input.")] = 1.0,
    batch: Annotated[int, Option("--batch", min=1, metavar="N", help="Images a step.")] = 128,
    pretrain_learning_rate: Annotated[
        float, Option("--pretrain-learning-rate", metavar="R", help="Where the first stage begins.")
    ] = 0.1,
    learning_rate: Annotated[
        float, Option("--learning-rate", metavar="R", help="Where learning the mask begins.")
    ] = 0.1,
    rate_learning_rate: Annotated[
        float | None,
        Option("--rate-learning-rate", metavar="R", help="That of the layers' rates: a fifth (the paper: the same)."),
    ] = None,
    finetune_learning_rate: Annotated[
        float, Option("--finetune-learning-rate", metavar="R", help="Where the last stage begins (paper: 0.01).")
    ] = 0.05,
    gamma: Annotated[
        float | None,
        Option(
            "--gamma",
            metavar="G",
            help="Growth of the hardware loss's weight an epoch: 2 / epochs, of channels 6 / epochs (paper: 0.01).",
        ),
    ] = None,
    start: Annotated[
        str, Option("--start", metavar="NAME", help="Rates to begin with: uniform, lamp or erk.")
    ] = "uniform",
    structure: Annotated[
        str, Option("--structure", metavar="NAME", help="What is removed: weights, or whole channels.")
    ] = "weights",
    fixed_rates: Annotated[bool, Option("--fixed-rates", help="Keep the layers' rates as they begin.")] = False,
    fixed_scores: Annotated[bool, Option("--fixed-scores", help="Keep the largest weights at the rates.")] = False,
    samples: Annotated[
        int | None, Option("--samples", min=1, metavar="N", help="Train on the first N images only.")
    ] = None,
    test_samples: Annotated[
        int, Option("--test-samples", min=0, metavar="N", help="Test on the first N of the test images.")
    ] = 1000,
    checkpoint: Annotated[
        Path | None,
        Option("--checkpoint", metavar="FILE.npz", help="Keep the training's state here, beside -o by default."),
    ] = None,
    resume: Annotated[bool, Option("--resume", help="Go on from the checkpoint.")] = False,
    memory_limit: Annotated[
        float | None, Option("--memory-limit", metavar="GB", help="Refuse to begin what needs more.", min=0.0)
    ] = None,
    device: options.Device = "cpu",
    threads: options.Threads = 1,
    seed: options.Seed = 0,
    logits: options.Logits = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Prune by HARP: learn under attack which weights stay.

    How many stay in each layer is learned too.

    The state is kept after every epoch. Killed or interrupted, the same call with --resume goes on as if nothing had
    happened. See docs/harp.md.
    """
    from netopt.cli.harp_run import Files, run
    from netopt.cli.inputs import read_network
    from netopt.pruning.harp.options import HarpOptions

    files = Files(
        output, mask, dense, plot, checkpoint or output.with_name(f"{output.name}.state.npz"), checkpoint is not None
    )
    files.check(pretrains=pretrain_epochs > 0, resume=resume)
    chosen = HarpOptions(
        keep=keep,
        pretrain_epochs=pretrain_epochs,
        epochs=epochs,
        finetune_epochs=finetune_epochs,
        loss=loss,
        beta=beta,
        epsilon=epsilon,
        attack_steps=attack_steps,
        lower=lower,
        upper=upper,
        batch=batch,
        pretrain_learning_rate=pretrain_learning_rate,
        learning_rate=learning_rate,
        rate_learning_rate=rate_learning_rate,
        finetune_learning_rate=finetune_learning_rate,
        gamma=gamma,
        start=start,
        structure=structure,
        learn_scores=not fixed_scores,
        learn_rates=not fixed_rates,
        seed=seed,
        device=device,
    )
    net = read_network(network, logits=logits)
    run(
        net, data, chosen, files,
        samples=samples, test_samples=test_samples, resume=resume, memory_limit=memory_limit,
        as_json=as_json, quiet=quiet,
    )  # fmt: skip
