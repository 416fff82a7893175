"""
The console: a page on the worker's HTTP port for people who look after requests, and the JSON behind it.
"""
