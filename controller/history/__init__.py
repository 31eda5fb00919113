"""What happened: the ledger's entries, the one table of legal moves, and the fold that turns them into a History.

It remembers and judges nothing; ``core`` reads what it remembers and decides on the entries that come next.
"""
