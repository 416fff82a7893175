"""
The ledger: every job on disk before it matters; the only room with SQL.
"""
