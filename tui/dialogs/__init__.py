"""What lies over a view for a moment."""
