"""How columns are written: new values look as those in the file do, and read back as themselves."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from augan.io.written import ColumnText

NUMBERS = [
    (["1.10", "2.50", "13.00"], [1.1, 2.5, 13.0], 7.1, "7.10"),
    (["1,10", "2,50", "1500000,00"], [1.1, 2.5, 1.5e6], 7.1, "7,10"),
    (["1,704.62", "12.50", "1,234,567.00"], [1704.62, 12.5, 1234567.0], 9876.5, "9,876.50"),
    (["1.704,62", "12,50"], [1704.62, 12.5], 9876.5, "9.876,50"),
    (["1,704", "12", "950"], [1704, 12, 950], 21000, "21,000"),
    (["1,704", "1,250", "9,502"], [1704, 1250, 9502], 21000, "21,000"),
    (["1,704", "1,250", "9,502"], [1.704, 1.25, 9.502], 2.1, "2,100"),
    (["1 704,5", "12,5"], [1704.5, 12.5], 2000.0, "2 000,0"),
    (["$5", "$1,200", "-$3"], [5, 1200, -3], 4500, "$4,500"),
    (["12 %", "7.5 %"], [12.0, 7.5], 3.25, "3.2 %"),
    ([" 5", " 12"], [5, 12], 7, " 7"),
    (["1.5", "2", "3.25"], [1.5, 2.0, 3.25], 4.0, "4"),
    (["0.1", "0.30000000000000004"], [0.1, 0.30000000000000004], 1 / 3, "0.3333333333333333"),
    ([".5", ".25"], [0.5, 0.25], 0.75, ".75"),
    (["5", "12"], [5, 12], 123456789012345678, "123456789012345678"),
    (["-5.0", "3.0"], [-5.0, 3.0], -0.0, "0.0"),
    (["-5.0", "3.0"], [-5.0, 3.0], -7.04, "-7.0"),
    (["1e-05", "2e-05"], [1e-05, 2e-05], 3e-05, "0.00003"),
]


@pytest.mark.parametrize("texts, read, new, written", NUMBERS)
def test_new_numbers_are_written_as_the_column_is(
    texts: list[str], read: list[Any], new: Any, written: str
) -> None:
    column = ColumnText.learn(texts, pd.Series(read))
    assert column.write(pd.Series([new, read[0]])) == [written, texts[0]]


DATES = [
    (["2024-01-31", "2023-12-01"], "2025-07-04", "2025-07-04"),
    (["31.01.2024", "01.12.2023"], "2025-07-04", "04.07.2025"),
    (["01/31/2024", "12/01/2023"], "2025-07-04", "07/04/2025"),
    (["31/01/2024", "1/12/2023"], "2025-07-04", "04/07/2025"),
    (["1/31/2024", "12/1/2023"], "2025-07-04", "7/4/2025"),
    (["2024-01-31T10:20:30Z"], "2025-07-04 01:02:03", "2025-07-04T01:02:03Z"),
    (["2024-01-31 10:20"], "2025-07-04 01:02", "2025-07-04 01:02"),
    (["2024-01-31 10:20:30.250"], "2025-07-04 01:02:03.5", "2025-07-04 01:02:03.500"),
    (["2024-01-31 10:20:30+00:00"], "2025-07-04 01:02:03", "2025-07-04 01:02:03+00:00"),
    (["9999-12-31", "2024-01-31"], "2025-07-04", "2025-07-04"),
]


@pytest.mark.parametrize("texts, new, written", DATES)
def test_new_dates_are_written_as_the_column_is(texts: list[str], new: str, written: str) -> None:
    dayfirst = texts[0].startswith("31")
    zone = "UTC" if "+" in texts[0] or "Z" in texts[0] else None
    parsed = [
        pd.to_datetime(text, dayfirst=dayfirst).to_pydatetime()
        for text in texts
        if "9999" not in text
    ]
    parsed = [moment.replace(tzinfo=None) for moment in parsed]
    if "9999" in texts[0]:
        parsed = [parsed[0].replace(year=9999, month=12), *parsed]
    values = pd.Series(parsed, dtype="datetime64[us]").dt.tz_localize(zone)
    column = ColumnText.learn(texts, values)
    moment = pd.Series([pd.Timestamp(new)]).dt.as_unit("us").dt.tz_localize(zone)
    assert column.write(moment) == [written]


def test_a_date_format_that_was_given_is_used() -> None:
    read = pd.to_datetime(pd.Series(["2024-01-31"]))
    column = ColumnText.learn(["31-Jan-24"], read, date_format="%d-%b-%y")
    assert column.write(pd.to_datetime(pd.Series(["2025-07-04"]))) == ["04-Jul-25"]


def test_texts_and_missing_values_are_written_as_they_stood() -> None:
    column = ColumnText.learn(
        [" a", "?", "TRUE", "?"], pd.Series(["a", None, "TRUE", None], dtype=object)
    )
    assert column.write(pd.Series(["TRUE", None, "a", "new"])) == ["TRUE", "?", " a", "new"]
    flags = ColumnText.learn(["Yes", "no"], pd.Series([True, False]))
    assert flags.write(pd.Series([False, True])) == ["no", "Yes"]
    some = ColumnText.learn(["1.0", "", "NA", "NA"], pd.Series([1.0, None, None, None]))
    assert some.write(pd.Series([None, 2.0])) == ["NA", "2.0"]


@pytest.mark.parametrize(
    "texts, written",
    [
        (["2024-01-31T10:20:30+02:00"], "2025-07-04T03:02:03+02:00"),
        (["2024-01-31 10:20:30-0430"], "2025-07-03 20:32:03-0430"),
        (["2024-01-31 10:20:30+02"], "2025-07-04 03:02:03+02"),
        (["2024-01-31 10:20+01:00", *["2024-07-31 10:20+02:00"] * 2], "2025-07-04 03:02+02:00"),
        (["2024-01-31 10:20:30Z", "2024-01-31 10:20:30+02:00"], "2025-07-04 01:02:03Z"),
    ],
)
def test_new_dates_have_the_offset_of_the_column(texts: list[str], written: str) -> None:
    values = pd.Series(pd.to_datetime(texts, utc=True))
    column = ColumnText.learn(texts, values)
    assert column.write(pd.Series(pd.to_datetime(["2025-07-04 01:02:03"], utc=True))) == [written]
