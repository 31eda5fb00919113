"""What a declaration would bring about, in virtual time: ``wavefleet simulate``.

The same cycle as the daemon's runs over a simulated fleet and a ledger in memory (``play``); cycles in which nothing
can change are passed over (``moments``). ``events`` tells what happened from the ledger's entries alone, ``lengths``
how long it took, and ``lower_bound`` how long it must take at least, worked out without the planner.
"""
