"""Six procedural scenes and a camera that photographs them: the input where no photographs are given."""

from builder.simulate.simulation import SimulationReport, render_bracket, simulate

__all__ = ["SimulationReport", "render_bracket", "simulate"]
