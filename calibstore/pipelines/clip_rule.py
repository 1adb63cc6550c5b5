"""Whether a clip can do anything for a number of frames: asked before any work begins."""

from calibstore.pipelines.detector_frames import as_user_error
from kernels.combine import ClippedMeanCombiner
from kernels.errors import KernelError


def check_clip(n_frames: int, n_sigma: float, max_iter: int = 3) -> None:
    """Refuse a clip that could never reject a frame among that many.

    Parameters
    ----------
    n_frames : int
        Frames to combine.
    n_sigma : float
        Clip [sigma].
    max_iter : int
        Clips.

    Raises
    ------
    UserInputError
        E-CLIP with the number of frames it takes, or E-COMBINE for a clip that makes no sense.
    """
    try:
        ClippedMeanCombiner(n_frames, n_sigma=n_sigma, max_iter=max_iter)
    except KernelError as fault:
        raise as_user_error(fault) from fault
