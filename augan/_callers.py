"""Where a warning comes from: the line of the user's code."""

from __future__ import annotations

import sys

# packages whose code calls ours on behalf of the user
INSIDE = {"augan", "imblearn", "joblib", "sklearn", "torch"}


def caller_level() -> int:
    """Return the `stacklevel` with which a warning names the line that called this package.

    It is the first frame outside of augan and of packages that call it for the user, as
    scikit-learn's cross-validation does.
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in INSIDE:
            break
        frame, level = frame.f_back, level + 1
    return level
