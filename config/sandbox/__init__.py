"""A local stand-in of the foreign systems Laurel talks to, so that nothing leaves the machine."""

from config.sandbox.faults import Fault
from config.sandbox.server import RunningSandbox, start_sandbox

__all__ = ["Fault", "RunningSandbox", "start_sandbox"]
