"""External gates: questions to outside systems before a wave or a cluster starts. One file per kind of system.

It asks and translates; what an answer means for a rollout is the core's to judge. Nothing here raises for what goes
wrong outside: no usable answer is an answer too, one that holds.
"""
