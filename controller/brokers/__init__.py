"""Kafka's brokers over their own protocol: how to reach them, and one client that keeps a time limit."""
