"""Where work runs: quanta in, outcomes out. Nothing here opens a database."""
