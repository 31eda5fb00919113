"""Wavefleet's tests. Packages, so that real servers and fakes can be imported by name from any test."""
