"""What each screen shows, as plain values: read here, painted elsewhere."""
