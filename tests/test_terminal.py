"""What a command owes the shell and the terminal: streams, signals, texts, exit codes."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from augan_cli import __main__ as start
from augan_cli._console import plain_errors, print_facts, say
from augan_cli._process import ClosedStream, Signals, Stopped, printable
from augan_cli.app import app
from typer.testing import CliRunner

from augan.exceptions import DataError

ODD = ["load [kW]", "x [/b]", ":smile:", "\x1b[31mred", "bell\x07", "a\u202eb", "two\nlines"]


@pytest.mark.parametrize("name", ODD)
def test_a_name_is_shown_as_it_is_and_never_obeyed(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_facts({"columns": {name: "numeric"}, "label": name, "listed": [name]})
    say(name)
    shown = capsys.readouterr()
    for text in (shown.out, shown.err):
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
    plain = printable(name)
    assert plain.replace("\n", "\\n") + ": numeric" in shown.out
    assert plain.replace("\n", " ") in shown.err


def test_texts_of_other_languages_stay_readable() -> None:
    assert printable("Zürich 東京 1\u00a0000") == "Zürich 東京 1\u00a0000"
    assert printable("a\tb\r\n\x9b31m") == "a\\tb\\r\n\\x9b31m"


@pytest.mark.parametrize(
    "error, says",
    [
        (MemoryError(), "not enough memory: lower batch_size"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), "not enough memory: lower"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "not enough"),
        (OverflowError("int too big to convert"), "OverflowError: int too big to convert"),
        (RecursionError("maximum recursion depth"), "RecursionError: maximum"),
        (UnicodeEncodeError("ascii", "ü", 0, 1, "no such character"), "UnicodeEncodeError: "),
        (DataError("a.csv:\n  two lines"), "augan: error: a.csv: two lines"),
        (OSError(28, "No space left on device", "f.csv"), "f.csv: No space left on device"),
    ],
)
def test_an_error_of_the_data_or_the_machine_is_one_line(
    error: Exception, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as end, plain_errors():
        raise error
    assert end.value.exit_code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("augan: error: ") and says in line


def test_an_error_of_augan_itself_is_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="a mistake of ours"), plain_errors():
        raise RuntimeError("a mistake of ours")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_one_line_and_an_exit_code_of_its_own(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    try:
        with pytest.raises(typer.Exit) as end, Signals().caught(), plain_errors():
            os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)
    assert end.value.exit_code == 128 + number
    assert capsys.readouterr().err == "augan: stopped\n"


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals().caught():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `augan` as the shell does, with something in the place of the command; the exit code."""

    def main(command: Any, **streams: Any) -> int:
        monkeypatch.setattr("augan_cli.app.app", command)
        monkeypatch.setattr(Signals, "caught", lambda self: contextlib.nullcontext())
        for name, stream in streams.items():
            monkeypatch.setattr(sys, name, stream)
        with pytest.raises(SystemExit) as end:
            start.main()
        return int(end.value.code or 0)

    return main


def fails(error: BaseException) -> Any:
    def command() -> None:
        raise error

    return command


def test_ctrl_c_while_modules_are_imported_is_one_line(
    main: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(fails(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "augan: stopped\n"
    signals = Signals()
    with pytest.raises(Stopped):
        signals._stop(signal.SIGTERM, None)
    assert signals.exit_code == 143


def test_a_stream_that_is_closed_or_full_is_one_line(
    main: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    assert main(lambda: print("text"), stdout=None) == 1
    assert capsys.readouterr().err == "augan: error: stdout: is closed\n"
    assert main(lambda: None, stdout=None) == 0
    assert main(lambda: print("text"), stdout=Full()) == 1
    assert capsys.readouterr().err == "augan: error: stdout: No space left on device\n"
    command = lambda: print("text", file=sys.stderr)  # noqa: E731
    assert main(command, stdout=io.StringIO(), stderr=None) == 0
    sys.stderr.close()


def test_a_character_that_the_terminal_lacks_is_written_out(main: Any) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert main(lambda: print("Zürich b\udce4d.png"), stdout=out) == 0
    assert out.buffer.getvalue() == rb"Z\xfcrich b\udce4d.png" + b"\n"  # type: ignore[attr-defined]


def test_a_closed_stream_says_so() -> None:
    with pytest.raises(OSError, match="is closed"):
        print("text", file=ClosedStream())


@pytest.mark.parametrize(
    "words, code",
    [
        ([], 2),
        (["nonsense"], 2),
        (["fit", "--nonsense"], 2),
        (["score"], 2),
        (["--help"], 0),
        (["fit", "--help"], 0),
        (["--version"], 0),
    ],
)
def test_bad_usage_ends_with_code_2_and_help_with_0(words: list[str], code: int) -> None:
    assert CliRunner().invoke(app, words).exit_code == code


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "", "--out", "m"],
        ["fit", "d.csv", "--out", ""],
        ["score", "m", ""],
        ["score", "", "d.csv"],
        ["score", "m", "d.csv", "--out", ""],
        ["score", "m", "d.csv", "--heatmaps", ""],
        ["sample", "m", "-n", "3", "--out", ""],
        ["evaluate", "m", "d.csv", "--report", ""],
        ["export", "m", ""],
        ["export", "m", "m.onnx", "--card", ""],
        ["sample", "m", "-n", "3", "--out="],
        ["evaluate", "", "d.csv", "--missing", ""],
        ["demo", "--out", ""],
    ],
)
def test_an_empty_path_is_not_the_working_directory(words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2 and result.stdout == ""
    assert "an empty path" in result.stderr


def test_every_console_of_the_command_line_is_a_plain_one() -> None:
    files = Path(str(start.__file__)).parent.rglob("*.py")
    makers = {file.name for file in files if re.search(r"(?<!Plain)Console\(", file.read_text())}
    assert makers == set()


def test_the_command_begins_with_the_standard_library_alone(tmp_path: Path) -> None:
    code = (
        "import sys; before = set(sys.modules); import augan_cli.__main__\n"
        "print({m.split('.')[0] for m in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "{'augan_cli'}\n"
