"""
What operators see: logs today, metrics and traces beside them.
"""
