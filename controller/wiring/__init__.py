"""The composition root: the one place where settings become parts, and parts become a controller.

``parts`` builds single outside parts, ``running`` the daemon, ``reading`` and ``folder`` what commands look at,
``checking`` the trials of ``wavefleet check``, ``rehearsal`` the demo. Commands and pages ask here and never build an
outside part themselves. They import these modules where they use them: the libraries behind them take longer to import
than ``wavefleet --help`` may take.
"""
