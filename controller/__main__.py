"""``python -m controller`` is ``wavefleet``."""

from controller.cli.main import main

main()
