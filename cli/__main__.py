"""Entry point of the `augan` command, which handles signals before slow imports."""

from __future__ import annotations

import gc
import sys

from ._process import STOPPED, Signals, flush, ready_streams

THRESHOLDS = (10_000, 20, 50)  # of the garbage collector, fewer collections than by default


def main() -> None:
    """Run the command line."""
    gc.set_threshold(*THRESHOLDS)  # imports create many objects, of which none is garbage
    ready_streams()
    signals = Signals()
    code: object = 0
    try:
        with signals.caught():
            from .app import app

            app()
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        code = 130
        print(STOPPED, file=sys.stderr)
    except OSError as error:
        code = 1
        print(f"augan: error: {error.filename or 'stdout'}: {error.strerror}", file=sys.stderr)
    except BaseException:
        if signals.exit_code is None:
            raise
        print(STOPPED, file=sys.stderr)  # an interrupted import may raise any error
    if signals.exit_code is not None:
        code = signals.exit_code
    gc.freeze()  # so that the interpreter does not search all modules for garbage at the end
    sys.exit(flush(code if isinstance(code, int) else int(code is not None)))


if __name__ == "__main__":
    main()
