"""
What the worker achieves, measured; each module is started with `python -m`, prints what it found, and ends by itself.
"""
