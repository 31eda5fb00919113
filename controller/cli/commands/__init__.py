"""One file per command of ``wavefleet``."""
