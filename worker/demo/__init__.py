"""
The demonstration: everything on one machine, orders of mixed fate, and what became of them.
"""
