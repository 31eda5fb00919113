"""Live fleets, one file per kind: they read clusters and write wishes, and translate both into the model's words.

Judging what was read is the core's business; nothing here imports it.
"""
