"""Real Apache Kafka brokers as local processes, and the small operator that rolls them, as Strimzi would.

``up``, ``down``, ``status`` and ``breaking`` are what people call, ``operator`` is a process of its own, ``load``
writes and verifies records, ``reach`` is the way to brokers for all of them, ``git_http`` serves a repository. The
files by which others speak to the operator are ``controller.labfiles``. It is the fleet that needs no Kubernetes; it
knows nothing of waves.
"""
