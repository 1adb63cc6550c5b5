"""The outside: exchange with Butler repositories and other sites."""
