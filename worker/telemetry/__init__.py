"""
What operators see: logs, metrics, traces, health, and the small HTTP server that tells them.
"""
