"""ONNX's messages and tensors read without the rest of onnx, which takes as long to load as all of numpy.

The message classes are onnx's own, from its file ``onnx_ml_pb2.py``; what is rare is left to onnx itself.
"""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

#: Element type -> NumPy's name of it and the field that holds entries which are not raw bytes.
_PLAIN = {1: ("float32", "float_data"), 6: ("int32", "int32_data"), 7: ("int64", "int64_data")} | {
    11: ("float64", "double_data"),
    9: ("bool", ""),
}
#: Kind of an attribute -> the field that holds its value.
_FIELDS = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}
_MESSAGES = "onnx.onnx_ml_pb2"
_lock = threading.Lock()


def messages() -> Any:
    """Return onnx's module of message classes; the package itself, loaded later, finds and keeps it."""
    with _lock:
        if _MESSAGES in sys.modules:
            return sys.modules[_MESSAGES]
        package = find_spec("onnx")
        folders = [] if package is None else list(package.submodule_search_locations or ())
        path = next(
            (Path(folder, "onnx_ml_pb2.py") for folder in folders if Path(folder, "onnx_ml_pb2.py").is_file()), None
        )
        spec = None if path is None else spec_from_file_location(_MESSAGES, path)
        if spec is None or spec.loader is None:
            import onnx

            return onnx
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[_MESSAGES] = module
        return module


def to_array(tensor: onnx.TensorProto) -> NDArray[Any]:
    """Return a tensor message as an array."""
    name, field = _PLAIN.get(tensor.data_type, ("", ""))
    plain = name and not (tensor.HasField("segment") or tensor.external_data)
    if plain and tensor.HasField("raw_data"):
        little = np.dtype(name).newbyteorder("<")
        return np.frombuffer(tensor.raw_data, dtype=little).astype(name, copy=False).reshape(tuple(tensor.dims))
    if plain and field:
        return np.array(getattr(tensor, field), dtype=name).reshape(tuple(tensor.dims))
    from onnx import numpy_helper

    return np.asarray(numpy_helper.to_array(tensor))


def type_name(element_type: int) -> str:
    """Return NumPy's name of an element type."""
    if element_type in _PLAIN:
        return _PLAIN[element_type][0]
    import onnx

    return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element_type)))


def attribute_value(attribute: onnx.AttributeProto) -> Any:
    """Return an attribute's value; strings stay bytes."""
    field = _FIELDS.get(attribute.type)
    if field is None or attribute.ref_attr_name:
        import onnx

        return onnx.helper.get_attribute_value(attribute)
    value = getattr(attribute, field)
    return value if attribute.type <= 4 else list(value)
