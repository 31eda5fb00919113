"""The gates: one question each, one file each. A gate passes or holds; it knows nothing of other gates.

Every gate is asked for a wave, or for each cluster to start, and all answer, not only the first to hold. A gate that
cannot tell holds.
"""
