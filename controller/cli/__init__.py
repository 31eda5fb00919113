"""The command line: one file per command, and nothing here judges: it asks ``wiring`` and prints."""
