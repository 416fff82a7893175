"""
The cloud on your machine: a second reading of the API document, over real HTTP. It imports nothing else of the project.
"""

from worker.simulator.config import Router, SimulatorConfig, SimulatorError
from worker.simulator.faults import KINDS
from worker.simulator.flags import journey_of, routers_of, settle_after_s, users_of
from worker.simulator.server import DIALECTS, Simulator, serve, start_simulator
from worker.simulator.users import User

__all__ = [
    "DIALECTS",
    "KINDS",
    "Router",
    "Simulator",
    "SimulatorConfig",
    "SimulatorError",
    "User",
    "journey_of",
    "routers_of",
    "serve",
    "settle_after_s",
    "start_simulator",
    "users_of",
]
