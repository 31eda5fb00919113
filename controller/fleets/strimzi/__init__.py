"""Strimzi: clusters as ``Kafka`` resources of Kubernetes, rolled by Strimzi's operator.

``resources`` reads bytes, ``listing`` keeps the list of one API server fresh, ``reading`` says what a resource shows,
``writing`` asks for something else, ``owners`` tells who else does, and ``source`` puts them together.
"""
