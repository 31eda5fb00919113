"""The annotations on a live resource that fleets read and write, by their public names."""

FLEET = "wavefleet.io/fleet"
"""The fleet that wrote to it first; written with the first start."""
HOLD = "wavefleet.io/hold"
"""Why people keep it where it is; written by them alone."""
