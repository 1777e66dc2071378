"""Files that are written whole."""

import os
import time

import pytest

from sk_petridish._compat._files import whole_file


def write(path, text):
    with whole_file(path) as file:
        file.write(text.encode())


def test_the_file_is_there_when_the_block_has_ended(tmp_path):
    with whole_file(tmp_path / "file") as file:
        file.write(b"new")
        assert not (tmp_path / "file").exists()
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "new"


def test_an_error_leaves_what_was_there(tmp_path):
    write(tmp_path / "file", "old")
    with pytest.raises(OSError, match="No space left"):
        write_half(tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_of_a_link_the_target_is_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_what_killed_processes_left_is_removed_after_an_hour(tmp_path):
    for name, age in ((".file.1", 7200.0), (".file.2", 60.0), (".other.1", 7200.0)):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    write(tmp_path / "file", "new")
    assert sorted(os.listdir(tmp_path)) == [".file.2", ".other.1", "file"]


def test_the_content_is_on_the_disk_before_the_name(tmp_path, monkeypatch):
    synced = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(names(tmp_path)), sync(file)))
    write(tmp_path / "file", "new")
    assert synced[0] == 0  # content, under another name
    assert synced[-1] == 1  # the folder, with the name


def write_half(path):
    with whole_file(path) as file:
        file.write(b"half")
        raise OSError(28, "No space left on device")


def names(folder):
    return sum(name == "file" for name in os.listdir(folder))


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_not_replaced(kind, tmp_path):
    path = tmp_path / kind
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(OSError, match=f"a folder, a pipe or a device.*{kind}"):
        write(path, "new")
    assert os.listdir(tmp_path) == [kind]
    assert not path.is_file()
