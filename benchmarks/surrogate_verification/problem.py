"""One problem of ``instances.csv``: the largest margin (logit of the target - logit of the label) around an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.surrogate_common.problem import Problem
from benchmarks.surrogate_verification.instances import domain_of, margin
from benchmarks.surrogate_verification.networks import Classifier, image, images, load
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.pruning.mask import Mask


def load_problem(instance: dict[str, Any]) -> Problem:
    """Return the problem of a line of the list, with the folders it needs.

    Raises
    ------
    ValueError
        The network does not classify the image as the list says: these are other weights.
    """
    classifier = Classifier.named(instance["network"])
    folder = Path(instance["networks"])
    network = load(folder, classifier)
    center = image(Path(instance["data"]), classifier, int(instance["image"]))
    label, target = int(instance["label"]), int(instance["target"])
    if network.forward(center).argmax() != label:
        raise ValueError(
            f"{classifier.name} does not classify image {instance['image']} as {label}; these are other weights than"
            " those of the list: make the list again with instances.py"
        )

    def finetuned(mask: Mask) -> Network:
        from benchmarks.surrogate_verification.training import finetune, load_module  # torch takes seconds to load

        data = images(Path(instance["data"]), classifier.dataset, classifier.side)
        names = [node.name for node in network.affines]
        kept = {names.index(key): value for key, value in mask.kept.items()}
        layers = finetune(load_module(folder, classifier), kept, data, seed=classifier.seed)
        return from_weights([weight for weight, _ in layers], [bias for _, bias in layers])

    return Problem(
        network=network,
        domain=domain_of(instance["kind"], center, float(instance["radius"])),
        weights=margin(label, target),
        finetune=finetuned,
    )
