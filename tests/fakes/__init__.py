"""Stand-ins for servers that cannot be run on one machine (Slack, GitHub), at their HTTP boundary."""
