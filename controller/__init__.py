"""Wavefleet: upgrades fleets of Kafka clusters from a Git repository, one safe wave per cycle.

Where things are: ``model`` holds the words, ``core`` the judgement, ``repository``, ``fleets``, ``ledger`` and
``reports`` one outside system each, ``runtime`` the cycle that joins them, ``cli`` and ``web`` what people see.
"""

__version__ = "0.1.0"
