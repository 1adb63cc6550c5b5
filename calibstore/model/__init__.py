"""The nouns: timespan, data ID, collection, names, camera, criteria, workflow."""
