"""Cabstand's core: from the nouns of calibration work up to its command line."""
