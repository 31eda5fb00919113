"""A seeded simulation of the whole controller on a model fleet: trouble at every port, then calm.

First safety (``promises``, after every cycle), then liveness (``ends``, once trouble is over).
"""
