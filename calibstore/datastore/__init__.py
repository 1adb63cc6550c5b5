"""Files: FITS, PNG, camera files, bundles, checksums, atomic writes."""
