"""
The cloud on your machine: a second reading of the API document, over real HTTP. It imports nothing else of the project.
"""

from worker.simulator.config import SimulatorConfig, SimulatorError, settle_after_s
from worker.simulator.faults import KINDS
from worker.simulator.server import DIALECTS, Simulator, serve, start_simulator

__all__ = [
    "DIALECTS",
    "KINDS",
    "Simulator",
    "SimulatorConfig",
    "SimulatorError",
    "serve",
    "settle_after_s",
    "start_simulator",
]
