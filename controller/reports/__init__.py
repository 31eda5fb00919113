"""The channels: one module per way to reach people, each the only one to know its other side's words and errors.

A channel translates; what is said, and whether, was decided before it. ``controller/runtime/delivery.py`` calls it.
"""
