"""A network's original file run in onnxruntime: the judge a witness has to pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netopt.arrays import FloatArray
from netopt.errors import InputError
from netopt.network.network import Network


class OnnxReplay:
    """onnxruntime on the file a network was read from, one thread, with the file's own outputs.

    A trailing Softmax that reading left out is therefore applied here.

    Parameters
    ----------
    network : a network read from an ONNX file.

    Raises
    ------
    InputError
        The network was made in memory, or its file has changed since it was read.
    """

    def __init__(self, network: Network) -> None:
        import onnxruntime

        from netopt.network.onnx_reader.model_file import read_model

        if network.source is None:
            raise InputError("a network made in memory has no file to replay; write it to ONNX and load that file")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        file = read_model(network.source)
        if file.sha256 != network.source_sha256:
            raise InputError(f"{network.source} has changed since the network was read from it; load it again")
        try:
            self._session = onnxruntime.InferenceSession(file.content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise InputError(f"onnxruntime cannot run {network.source} ({error}); export the network again") from error
        self._network = network

    @property
    def source(self) -> Path | None:
        """The file that is run."""
        return self._network.source

    def forward(self, x: ArrayLike) -> FloatArray:
        """Return the file's outputs, concatenated, at a batch (batch, n): (batch, m) float64.

        The points are rounded to the input's own type (float32 in most files) and run one by one: a batch may round
        differently, and many files fix theirs to 1.
        """
        batch = np.atleast_2d(np.asarray(x))
        if batch.ndim != 2 or batch.shape[1] != self._network.input_size:
            raise InputError(
                f"the network takes {self._network.input_size} inputs, an array of shape {batch.shape} was given;"
                " pass (batch, n)"
            )
        return np.array([self._run(row) for row in batch]).reshape(len(batch), self._network.output_size)

    def _run(self, point: NDArray[Any]) -> FloatArray:
        feeds, start = {}, 0
        for spec in self._network.inputs:
            part = point[start : start + spec.size]
            feeds[spec.name] = np.ascontiguousarray(part, dtype=spec.dtype).reshape(spec.shape)
            start += spec.size
        outputs = self._session.run([spec.name for spec in self._network.outputs], feeds)
        return np.concatenate([np.asarray(y, dtype=np.float64).ravel() for y in outputs])
