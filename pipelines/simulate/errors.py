"""What the simulator refuses and how it fails, in words a data engineer can act on."""


class SimulationError(Exception):
    """Root of everything the simulator raises."""


class SimulationRefusedError(SimulationError):
    """A setting no world can be made from."""

    def __init__(self, setting: str, received: object, allowed: str) -> None:
        super().__init__(f"simulation setting {setting}: received {received!r}, allowed {allowed}")
        self.setting = setting


class ShardFailedError(SimulationError):
    """One writing process stopped before its part of the world was written."""

    def __init__(self, shard: int, reason: str) -> None:
        super().__init__(f"part {shard} of the world was not written: {reason}; empty the target folder and run again")
        self.shard = shard
