"""Outputs: what they replace, what they leave, and what is written into as it is."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from augan_cli._sampling import _write_array

from augan import _leftovers
from augan._files import atomic_folder, atomic_path, check_writable, is_stream
from augan.exceptions import AuganError, DataError, ParameterError
from augan.io import image_memory
from augan.io.decoding import Form, read_form
from augan.io.heatmaps import open_heatmap_folder
from augan.io.images import open_image_folder
from augan.io.raw_heat import open_raw_heat_folder
from augan.io.sources import open_data
from augan.networks.backbone import read_weights
from augan.training.checkpoint import read_checkpoint


def write(path: Path, text: str = "new") -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask() -> object:
    """A umask of 027 for the time of a test."""
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="this system has no /dev/null")
def test_a_device_is_written_into_and_stays_one(tmp_path: Path) -> None:
    write(Path("/dev/null"))
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    write(link)
    assert link.is_symlink() and stat.S_ISCHR(link.stat().st_mode)
    assert [entry for entry in os.listdir("/dev") if entry.endswith(".tmp")] == []


def test_a_pipe_is_written_into_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write(pipe)
    reader.join()
    assert read == ["new"] and stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_an_open_descriptor_is_written_into(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert is_stream(Path(name))
    write(Path(name))
    link = tmp_path / "link"
    link.symlink_to(name)
    write(link)
    assert capfd.readouterr().out == "newnew"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_device_is_named() -> None:
    with pytest.raises(OSError, match="No space left") as full:
        write(Path("/dev/full"), "x" * 100_000)
    assert full.value.filename == "/dev/full"


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link, second = tmp_path / "elsewhere" / "file", tmp_path / "link", tmp_path / "second"
    target.write_text("old")
    link.symlink_to("elsewhere/file")
    second.symlink_to(link)
    write(second)
    assert second.is_symlink() and link.is_symlink() and target.read_text() == "new"
    dangling = tmp_path / "dangling"
    dangling.symlink_to("elsewhere/later")
    write(dangling)
    assert dangling.is_symlink() and (tmp_path / "elsewhere" / "later").read_text() == "new"
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="symbolic links"):
        write(loop)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_a_file_keeps_its_mode_and_a_new_one_respects_the_umask(
    tmp_path: Path, umask: None, mode: int
) -> None:
    target = tmp_path / "file"
    write(target)
    assert mode_of(target) == 0o640
    target.chmod(mode)
    with atomic_path(target) as temporary:
        assert mode_of(temporary) == mode  # not only at the end: others must not read it before
        temporary.write_text("newer")
    assert mode_of(target) == mode and target.read_text() == "newer"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    os.chown(target, 12345, 12346)
    write(target)
    assert (target.stat().st_uid, target.stat().st_gid) == (12345, 12346)


def test_a_folder_of_images_respects_the_umask_and_keeps_its_mode(
    tmp_path: Path, umask: None
) -> None:
    images = np.zeros((2, 4, 4), np.uint8)
    for folder, mode in ((tmp_path / "new", 0o750), (tmp_path / "there", 0o700)):
        if mode == 0o700:
            folder.mkdir(mode)
        with open_image_folder(folder, low=0, high=255) as give:
            give(images, None)
        assert mode_of(folder) == mode and mode_of(folder / "000000.png") == 0o640
    link = tmp_path / "link"
    link.symlink_to("behind")
    (tmp_path / "behind").mkdir()
    with atomic_folder(link) as temporary:
        (temporary / "a").touch()
    assert link.is_symlink() and (tmp_path / "behind" / "a").exists()
    assert sorted(os.listdir(tmp_path)) == ["behind", "link", "new", "there"]


def test_the_working_directory_is_no_new_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(ParameterError, match="the working directory"),
        open_image_folder(Path(), low=0, high=255),
    ):
        pass


def test_what_cannot_be_written_is_refused_before(tmp_path: Path) -> None:
    for path in (tmp_path, Path(), Path(".."), Path("/")):
        with pytest.raises(IsADirectoryError):
            check_writable(path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        check_writable(tmp_path / "file" / "out")
    with pytest.raises(OSError, match="File name too long"):
        check_writable(tmp_path / ("n" * 300))
    with pytest.raises(OSError, match="NUL"):
        check_writable(tmp_path / "a\0b")


def test_a_name_as_long_as_can_be_is_written(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 255)
    write(target)
    assert target.read_text() == "new" and len(os.listdir(tmp_path)) == 1


def test_what_a_killed_run_left_is_removed_by_the_next_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "m.augan"
    code = (
        "import os, pathlib, sys; from augan._files import atomic_path, atomic_folder\n"
        "with atomic_path(sys.argv[1]) as t, atomic_folder(sys.argv[1] + 'd') as d:\n"
        "    t.write_text('half'); (d / 'x').touch(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, target], check=False)
    assert len(os.listdir(tmp_path)) == 2
    place = _leftovers._place()
    kept = [
        f".m.augan.{place}-1-0123abcd.tmp",  # of a process that runs
        ".m.augan.00000000-999999999-0123abcd.tmp",  # of another machine
        ".m.augan.tmp",
        "m.augan.tmp",
    ]
    for name in kept:
        (tmp_path / name).touch()
    with atomic_path(target) as temporary:
        write(target, "inner")  # does not take the one in use for a leftover
        temporary.write_text("new")
    with atomic_folder(tmp_path / "m.augand"):
        pass
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "m.augan", "m.augand"])
    assert target.read_text() == "new"


# No space left


def test_images_for_which_there_is_no_space_are_an_error(
    tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_memory, "MAPPED_BYTES", 100)
    monkeypatch.setattr(tempfile, "tempdir", str(tiny_disk))
    with pytest.raises(OSError, match=r"No space left on device for 0\.0 GB of images") as error:
        image_memory.room_for(10, Form(100, 100, 3, "uint8"))
    assert error.value.filename == str(tiny_disk)


@pytest.mark.parametrize("kind", ["png", "tif", "heatmaps", "raw heat", "copies"])
def test_the_folder_of_images_for_which_there_is_no_space_is_named(
    kind: str, tiny_disk: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).random((400, 400)).astype(np.float32)
    images = (255 * pixels).astype(np.uint8)
    out = tiny_disk / "new"
    with pytest.raises(OSError, match="No space left") as error:
        if kind == "heatmaps":
            with open_heatmap_folder(out, limit=0.5, low=0, high=255) as write_heat:
                for i in range(100):
                    write_heat(f"{i}.png", images, pixels, True)
        elif kind == "raw heat":
            with open_raw_heat_folder(out) as write_raw:
                for i in range(100):
                    write_raw(f"{i}.png", pixels)
        elif kind == "copies":
            images.tofile(tmp_path / "a")
            with atomic_folder(out) as folder:
                for i in range(100):
                    shutil.copyfile(tmp_path / "a", folder / str(i))
        else:
            with open_image_folder(out, low=0, high=1, exact=True) as write_images:
                for _ in range(100):
                    write_images((images if kind == "png" else pixels)[None], None)
    assert error.value.filename == str(out)
    assert not out.exists()


def test_an_array_for_which_there_is_no_space_is_an_error_and_no_file(tiny_disk: Path) -> None:
    batches = ((np.zeros((100, 8, 8)), None) for _ in range(10))
    with pytest.raises(OSError, match="No space left") as error:
        _write_array(tiny_disk / "a.npy", batches, 1000)
    assert error.value.filename == str(tiny_disk / "a.npy") and not os.listdir(tiny_disk)


def test_an_array_is_written_as_numpy_writes_it(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (7, 4, 4, 3), dtype=np.uint8)
    _write_array(tmp_path / "a.npy", ((images[i : i + 3], None) for i in (0, 3, 6)), 7)
    np.save(tmp_path / "b.npy", images)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


# Inputs that are no files


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.npy", "x.npz", "x", "x.png"])
@pytest.mark.parametrize("kind", ["a device", "a pipe", "a socket"])
def test_an_input_that_is_no_file_is_refused_and_not_waited_for(
    tmp_path: Path, name: str, kind: str
) -> None:
    path = tmp_path / name
    if kind == "a device":
        path.symlink_to("/dev/zero")
    elif kind == "a pipe":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(tmp_path):
            server.bind(name)
    for read in (open_data, read_weights, read_checkpoint, read_form):
        with pytest.raises(AuganError, match=f"{name}: {kind}, not a file"):
            read(path)
    if name.endswith((".csv", ".parquet")):
        with pytest.raises(DataError, match=f"{name}: {kind}, not a file"):
            open_data(tmp_path)


@pytest.mark.parametrize("name", ["a\0b.csv", "n" * 300 + ".csv", "b\udce4d.csv", "no/such.csv"])
def test_an_input_with_an_impossible_name_is_an_error_and_no_traceback(name: str) -> None:
    with pytest.raises((DataError, OSError)) as error:
        open_data(Path(name)).read()  # type: ignore[union-attr]
    assert isinstance(error.value, DataError) or error.value.strerror == "File name too long"
