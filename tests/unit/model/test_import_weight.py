"""The model is light: `cabstand --help` may import any of it."""

import subprocess
import sys

MODULES = "times names where where_eval where_fields calib_types workflow checklist_text waivers noise_penalty data_id"
HEAVY = "numpy astropy scipy sqlalchemy textual"


def test_no_heavy_package_comes_with_the_model() -> None:
    script = (
        "import importlib, sys\n"
        f"for name in {MODULES.split()!r}: importlib.import_module('calibstore.model.' + name)\n"
        f"print([name for name in {HEAVY.split()!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
