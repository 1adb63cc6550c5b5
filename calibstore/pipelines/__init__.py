"""Reads files, calls kernels, writes files; runs in workers and never sees the database."""
