"""How frames are clipped, and whether the clip can do anything for their number: asked before any work begins."""

from calibstore.errors import CabstandError, UserInputError
from kernels.clip_bounds import SMALLEST_SIGMA
from kernels.combine import ClippedMeanCombiner
from kernels.errors import ClipCannotRejectError, KernelError


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
    frame_combiner(n_frames, n_sigma=n_sigma, max_iter=max_iter)


def frame_combiner(
    n_frames: int, *, n_sigma: float | None, max_iter: int, minimum_sigma: float = 0.0
) -> ClippedMeanCombiner:
    """Return the combiner of a number of frames.

    Parameters
    ----------
    n_frames, n_sigma, max_iter, minimum_sigma
        As for `kernels.combine.ClippedMeanCombiner`.

    Raises
    ------
    UserInputError
        As `check_clip`.
    """
    try:
        return ClippedMeanCombiner(n_frames, n_sigma=n_sigma, max_iter=max_iter, minimum_sigma=minimum_sigma)
    except KernelError as fault:
        raise _user_error(fault) from fault


def _user_error(fault: KernelError) -> CabstandError:
    """Return a kernel's refusal as an error for people."""
    if isinstance(fault, ClipCannotRejectError):
        can_clip = fault.bound_sigma > SMALLEST_SIGMA
        looser = f", or clip below {fault.bound_sigma:.2f} sigma" if can_clip else ""
        return UserInputError(
            str(fault),
            hint=f"select at least {fault.needed_frames} exposures" + looser,
            code="E-CLIP",
        )
    return UserInputError(str(fault), hint="check the selection and the clip", code="E-COMBINE")
