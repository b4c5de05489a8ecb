"""Work on a GPU: which device there is, and the CUDA kernels of netopt.

CuPy is imported here alone, when a GPU is asked for. Modules with hot loops keep their kernels beside them as ``.cu``
files, each with a NumPy twin of the same name and arguments.
"""
