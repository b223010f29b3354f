"""Arrays in, arrays out: NumPy and Numba only. Nothing here compiles at import; `jit.py` alone calls Numba."""
