"""Errors of the kernels: plain, without knowledge of the application; callers translate them."""


class KernelError(ValueError):
    """Base of the errors a kernel raises on purpose."""


class NotEnoughDataError(KernelError):
    """Too few usable samples for the statistic asked for."""


class ClipCannotRejectError(KernelError):
    """A k-sigma clip could never reject a single outlier among that many frames.

    Parameters
    ----------
    n_frames : int
        Frames to combine.
    n_sigma : float
        Clip asked for [sigma].
    bound_sigma : float
        Largest deviation one value can reach under the rule [sigma].
    needed_frames : int
        Smallest number of frames for which the clip can reject one outlier.
    """

    def __init__(self, *, n_frames: int, n_sigma: float, bound_sigma: float, needed_frames: int) -> None:
        super().__init__(
            f"a {n_sigma:g}-sigma clip of {n_frames} frames can never reject an outlier: one value deviates by at most "
            f"{bound_sigma:.2f} sigma because it widens the very sigma it is judged by; it takes {needed_frames} frames"
        )
        self.n_frames = n_frames
        self.n_sigma = n_sigma
        self.bound_sigma = bound_sigma
        self.needed_frames = needed_frames
