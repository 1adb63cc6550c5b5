"""The guided walk for new staff: a rehearsal repository with a panel that leads through it."""
