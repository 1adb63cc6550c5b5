"""One operator action = one handler = one transaction; queries are the one read door."""
