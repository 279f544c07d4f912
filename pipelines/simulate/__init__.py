"""A simulated brand: its people, what the platforms say about them, and the truth to check any answer against."""

from pipelines.simulate.config import Dirt, SimulationConfig
from pipelines.simulate.errors import ShardFailedError, SimulationError, SimulationRefusedError
from pipelines.simulate.run import SimulationReport, simulate

__all__ = [
    "Dirt",
    "ShardFailedError",
    "SimulationConfig",
    "SimulationError",
    "SimulationRefusedError",
    "SimulationReport",
    "simulate",
]
