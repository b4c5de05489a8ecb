"""Digests that tie a proof to its property and its content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from scipy import sparse

from netopt.specification.domain import Domain
from netopt.specification.property import Property


def property_digest(prop: Property) -> str:
    """Return the digest of what is asked, however the file wrote it."""
    digest = hashlib.sha256(f"{prop.input_size} {prop.output_size}".encode())
    for case in prop.cases:
        _update(digest, case.domain)
        for conjunction in case.disjuncts:
            for part in (conjunction.output_matrix, conjunction.bound, conjunction.input_matrix):
                _update(digest, part)
        digest.update(b";")
    return digest.hexdigest()


def content_digest(arrays: Mapping[str, Any]) -> str:
    """Return the digest of arrays and their names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        _update(digest, arrays[name])
    return digest.hexdigest()


def _update(digest: Any, part: Any) -> None:
    """Feed an array, a matrix, a domain or a number."""
    if isinstance(part, Domain):
        digest.update(type(part).__name__.encode())
        for field in fields(part):  # type: ignore[arg-type]  # concrete domains are dataclasses
            _update(digest, getattr(part, field.name))
    elif isinstance(part, sparse.csr_array):
        for array in (np.array(part.shape), part.indptr, part.indices, part.data):
            _update(digest, array)
    elif isinstance(part, np.ndarray):
        digest.update(f"{part.dtype.str} {part.shape}".encode())
        digest.update(np.ascontiguousarray(part).data)
    else:
        digest.update(repr(part).encode())
