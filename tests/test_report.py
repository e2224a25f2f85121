"""The page of `augan evaluate --report`: what it says, and how a browser shows it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from augan import FAnoGAN

STRANGE = "<b>fraud & co</b><script>document.title = 'taken'</script>"


def evaluate(*words: Any) -> Any:
    return CliRunner().invoke(app, ["evaluate", *map(str, words), "--threads", "1", "--quiet"])


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    mixed_frame: pd.DataFrame,
    default_detector: FAnoGAN,
    image_detector: FAnoGAN,
) -> Path:
    """Models, labelled rows and images, and the pages of both."""
    folder = tmp_path_factory.mktemp("report")
    default_detector.save(folder / "table.augan")
    image_detector.save(folder / "image.augan")
    rows = mixed_frame[:200].copy()
    bad = np.arange(200) % 5 == 0
    rows.loc[bad, "amount"] *= np.where(np.arange(40) % 2, 100, 1)
    rows.assign(label=np.where(bad, STRANGE, "good")).to_parquet(folder / "table.parquet")
    data = load_digits()
    chosen = np.isin(data.target, (3, 1))
    np.savez(folder / "image.npz", X=data.images[chosen], y=data.target[chosen])
    for name, file, target in (("table", "parquet", "label"), ("image", "npz", "y")):
        normal = "good" if name == "table" else "3"
        words = (folder / f"{name}.augan", folder / f"{name}.{file}", "--bootstrap", 100)
        labels = ("--target", target, "--normal", normal)
        result = evaluate(*words, *labels, "--report", folder / f"{name}.html")
        assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("needs Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, folder: Path) -> Iterator[Any]:
    """Give what opens a page without a network, and fails where it asks for one or for help."""
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
    asked: list[str] = []
    wrong: list[str] = []

    def open_page(name: str) -> Any:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((folder / name).as_uri())
        return page

    yield open_page
    context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert wrong == []


def column(page: Any, number: int) -> list[str]:
    cells = page.locator(f"#rows tbody tr td:nth-child({number})")
    found: list[str] = cells.evaluate_all(
        "cells => cells.map(cell => cell.dataset.value ?? cell.innerText)"
    )
    return found


def test_the_page_says_what_the_command_says(folder: Path) -> None:
    words = (folder / "table.augan", folder / "table.parquet", "--bootstrap", 100)
    result = evaluate(*words, "--target", "label", "--normal", "good")
    text = (folder / "table.html").read_text()
    verdict, counts, *_ = result.stdout.splitlines()
    assert verdict in text
    assert re.match("160 normal rows, 40 anomalies", counts)
    figures = re.findall(r"│ (0\.\d{3}) +│", result.stdout)
    assert len(figures) > 10
    for figure in figures:
        assert re.search(rf"\b{figure}\b", text)
    assert text.count("<svg") == 3


def test_the_page_asks_for_nothing_and_runs_no_text_of_the_data(folder: Path) -> None:
    text = (folder / "table.html").read_text()
    assert not re.search(r"""(?:src|href|url\()\s*=?\s*["']?https?:""", text)
    assert STRANGE not in text and "&lt;script&gt;document.title" in text


def test_a_browser_shows_verdict_charts_and_rows(opened: Any) -> None:
    page = opened("table.html")
    assert page.title() == "table.augan on table.parquet"
    assert page.locator("main > *").nth(1).get_attribute("aria-label") == "Verdict"
    assert page.locator("figure svg").count() == 3
    for chart in page.locator("figure svg").all():
        assert chart.bounding_box()["height"] > 200
    listed = page.locator("#rows tbody tr")
    assert listed.count() == 100
    reasons = listed.first.locator(".reasons li")
    assert reasons.count() == 4
    assert "amount" in listed.first.inner_text()
    scores = [float(text) for text in column(page, 3)]
    assert scores == sorted(scores, reverse=True)


def test_rows_are_sorted_by_keyboard(opened: Any) -> None:
    page = opened("table.html")
    before = column(page, 1)
    head = page.locator("#rows thead button", has_text="row").first
    head.focus()
    page.keyboard.press("Enter")
    numbers = [int(text) for text in column(page, 1)]
    assert numbers == sorted(map(int, before), reverse=True)
    page.keyboard.press("Enter")
    assert [int(text) for text in column(page, 1)] == sorted(numbers)
    assert page.locator("#rows th[aria-sort]").get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    labels = column(page, 2)
    assert labels == sorted(labels, key=lambda text: text.strip("<"))
    assert page.locator("#rows th[aria-sort]").inner_text().strip().startswith("label")


def test_worst_images_stand_beside_their_heat(opened: Any, folder: Path) -> None:
    page = opened("image.html")
    cards = page.locator(".cards li")
    assert 0 < cards.count() <= 24
    for picture in page.locator(".cards img").all():
        assert picture.evaluate("image => image.complete && image.naturalWidth") == 240
        assert picture.get_attribute("alt")
    assert page.locator(".cards li").first.locator("img").count() == 2
    assert page.locator("#rows tbody tr").count() == 365


@pytest.mark.parametrize("name", ["table.html", "image.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_lines_can_be_read_by_day_and_night(opened: Any, name: str, scheme: str) -> None:
    page = opened(name)
    page.emulate_media(color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(paper) < 0.1) == (scheme == "dark")
    for place in ("body", ".soft", ".verdict", "#rows td", ".missed", "thead button"):
        if page.locator(place).count():
            ink = page.locator(place).first.evaluate("node => getComputedStyle(node).color")
            assert contrast(ink, paper) >= 4.5, place
    label = page.locator("figure svg text").first
    ink = label.evaluate("node => getComputedStyle(node).fill")
    assert contrast(ink, paper) >= 4.5


def test_a_narrow_screen_scrolls_one_way_only(opened: Any) -> None:
    page = opened("table.html")
    page.set_viewport_size({"width": 380, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_mistakes_are_named_before_anything_is_scored(folder: Path, tmp_path: Path) -> None:
    words = (folder / "table.augan", folder / "table.parquet", "--target", "label")
    for file, says in (
        (tmp_path / "page.txt", "page.txt: the name of the page must end in .html"),
        (tmp_path / "no" / "page.html", "the directory does not exist"),
    ):
        result = evaluate(*words, "--normal", "good", "--report", file)
        assert result.exit_code == 1 and result.stdout == "" and says in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def luminance(colour: str) -> float:
    """Return the relative luminance of ``rgb(...)`` (WCAG 2.1)."""
    shares = np.array([int(part) for part in re.findall(r"\d+", colour)[:3]]) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
