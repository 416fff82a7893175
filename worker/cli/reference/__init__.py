"""
The parts of docs/ that are written from the code: settings, commands, messages, errors, metrics.

Not a command: `make docs` runs it, and a test sees to it that the pages are what it writes.
"""
