"""Files: FITS, PNG, camera files, bundles, checksums, atomic writes."""

import warnings

# astropy looks for a folder of its own below these and complains where there is none yet; nothing here needs it.
warnings.filterwarnings("ignore", message="XDG_(CONFIG|CACHE)_HOME is set to")
