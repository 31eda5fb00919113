"""The ledger: the append-only memory of one fleet, and the queue of what is still to be said.

``opening.open_ledger`` is the way in. SQLite behind SQLAlchemy by default, plain Python in memory for plans and
simulations; one contract suite runs on both. What only SQLite knows stands in ``sqlite``. The ledger stores what it
is given and judges nothing: ``history.recall`` folds its entries into a history.
"""
