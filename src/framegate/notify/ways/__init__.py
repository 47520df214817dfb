"""The ways of telling: a command, a web address."""
