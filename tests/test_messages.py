"""Values in messages: short, on one line, of printable characters."""

from __future__ import annotations

from augan.exceptions import listed, shown


def test_a_long_value_is_cut() -> None:
    assert shown("a" * 5000) == "'" + "a" * 58 + "…"
    assert len(shown(list(range(5000)))) == 60
    assert shown(1.5) == "1.5" and shown("x") == "'x'"
    assert shown(10**10_000) == "an integer of 33220 bits"


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert "\x1b" not in shown("\x1b[31mred") and "\n" not in shown("two\nlines")
    assert shown("ü") == "'ü'" and "\udce4" not in shown("b\udce4d.png")


def test_a_value_that_cannot_be_shown_is_named_by_its_type() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shown(Odd()) == "<Odd>"


def test_many_names_are_cut_to_the_first_ten() -> None:
    assert listed(["a", "b"]) == "a, b"
    text = listed([f"c{i}" for i in range(5000)])
    assert text == "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, and 4990 more"
    assert listed([]) == ""
