"""Real servers and real repositories that tests run against; nothing here imitates."""
