"""
What happened and is worth counting: noted once, each fact comes out as a log line, as a metric and in traces.
"""

from worker.facts.noting import Fact, Hook, hooked, note

__all__ = ["Fact", "Hook", "hooked", "note"]
