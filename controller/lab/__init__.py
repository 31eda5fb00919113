"""Real Apache Kafka brokers as local processes, and the small operator that rolls them, as Strimzi would.

``up``, ``down`` and ``status`` are what people call, ``operator`` is a process of its own, ``load`` writes and verifies
records, ``git_http`` serves a repository. The files by which others speak to the operator are ``controller.labfiles``.
It is the fleet that needs no Kubernetes; it knows nothing of waves.
"""
