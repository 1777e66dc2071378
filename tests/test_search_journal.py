"""Journals with half a line: what full disks, kills within a write and power cuts leave."""

import json
import threading

import numpy as np
import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState
from search_problems import Logged, facts, journal, small_search

from sk_petridish.search import mend_journal, patient_storage
from sk_petridish.search._journal import end_half_lines

pytestmark = pytest.mark.usefixtures("quiet_optuna")


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """Return the lines of a journal with some trials of each state."""
    path = tmp_path_factory.mktemp("journal") / "log"
    study = optuna.create_study(study_name="study", storage=journal(path))
    for value in (1.0, 2.0):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        trial.set_user_attr("note", 'a {"brace" and \\u2603: {"op_code":')
        study.tell(trial, value)
    study.enqueue_trial({"x": 0.5})
    study.ask()
    return path.read_bytes().splitlines(keepends=True)


def states(path):
    """Return what a journal says of its trials, as Optuna alone reads it."""
    study = optuna.load_study(study_name="study", storage=journal(path))
    return [(trial.state, trial.params, trial.values) for trial in study.trials]


def write(path, content):
    path.write_bytes(content)
    return JournalFileBackend(str(path))


def test_a_journal_torn_at_any_byte_is_gone_on_with(lines, tmp_path):
    """Whatever the last record was, and wherever it was cut."""
    path = tmp_path / "log"
    for n_whole, step in ((1, 17), (2, 17), (4, 17), (len(lines) - 1, 1)):
        whole, last = b"".join(lines[:n_whole]), lines[n_whole]
        for n_bytes in range(len(last) - 1, 0, -step):
            backend = write(path, whole + last[:n_bytes])
            end_half_lines(backend)
            # All but the newline is a whole record.
            assert path.read_bytes() == (whole + last if n_bytes == len(last) - 1 else whole)
        before = states(path)
        # Nobody looks before the next record but the lock.
        with path.open("ab") as file:
            file.write(lines[-1][:40])
        JournalStorage(backend).set_study_user_attr(0, "goes", "on")
        assert states(path) == before
        assert mend_journal(JournalFileBackend(str(path))) == 0


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_records_behind_half_a_line_are_kept(lines, tmp_path, data):
    """What earlier runs have appended to half a record, and after it."""
    at = data.draw(st.integers(1, len(lines) - 1))
    half = lines[at][: data.draw(st.integers(1, len(lines[at]) - 2))]
    zeros = b"\0" * data.draw(st.integers(0, 3))
    path = tmp_path / "log"
    backend = write(path, b"".join(lines[:at]) + half + zeros + b"".join(lines[at:]))
    assert mend_journal(backend) == 1
    assert path.read_bytes() == b"".join(lines)
    assert mend_journal(backend) == 0
    assert states(path)


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"\xff\xfe", b"[" * 10**5, b"", b"7", b"{}"])
def test_lines_that_are_no_records_are_dropped_with_a_word(garbage, lines, tmp_path, caplog):
    path = tmp_path / "log"
    backend = write(path, b"".join([*lines[:5], garbage + b"\n", *lines[5:]]))
    assert mend_journal(backend) == 1
    assert path.read_bytes() == b"".join(lines)
    assert f"{path}: line 6 " in caplog.text


def test_a_damaged_line_on_which_others_build_is_refused(lines, tmp_path):
    """Without a trial that was there, all later parameters would go to others."""
    created = [n for n, line in enumerate(lines) if json.loads(line)["op_code"] in (0, 4)]
    path = tmp_path / "log"
    for number in created[:-1]:
        broken = lines[number].replace(b'":', b'"x', 5).replace(b'"x', b'":', 1)
        content = b"".join([*lines[:number], broken, *lines[number + 1 :]])
        backend = write(path, content)
        with pytest.raises(ValueError, match=rf"Line {number + 1} of the journal .*{path.name}"):
            mend_journal(backend)
        assert path.read_bytes() == content


@pytest.mark.parametrize("lock", [None, JournalFileOpenLock])
def test_the_half_line_of_a_worker_that_writes_is_left_alone(lock, lines, tmp_path):
    path = tmp_path / "log"
    backend = JournalFileBackend(str(path), lock and lock(str(path)))
    half = len(lines[-1]) // 2
    path.write_bytes(b"".join(lines)[: -len(lines[-1]) + half])
    mended = []
    backend._lock.acquire()
    mender = threading.Thread(target=lambda: mended.append(mend_journal(backend)))
    mender.start()
    mender.join(0.2)
    with path.open("ab") as file:
        file.write(lines[-1][half:])
    backend._lock.release()
    mender.join()
    assert mended == [0]
    assert path.read_bytes() == b"".join(lines)


def test_a_worker_meets_half_lines_while_it_runs(lines, tmp_path):
    """Others die within a write, or append to half a line without looking."""
    path = tmp_path / "log"
    backend = write(path, b"".join(lines))
    study = optuna.load_study(
        study_name="study", storage=patient_storage(JournalStorage(backend), patience=0)
    )
    for rest in (b"", lines[-1], lines[-1] + lines[-1][:-20] + lines[-1]):
        with path.open("ab") as file:
            file.write(lines[-1][:30] + rest)
        study.set_user_attr("goes", "on")
        assert len(study.trials) == len(states(path))
    trial = study.ask()
    study.tell(trial, 3.0)
    assert states(path)[trial.number] == (TrialState.COMPLETE, {}, [3.0])


def test_a_journal_that_is_gone_does_not_begin_anew(lines, tmp_path):
    """As one in a folder that is not mounted any more."""
    path = tmp_path / "log"
    write(path, b"".join(lines))
    storage = patient_storage(journal(path), patience=0)
    study = optuna.load_study(study_name="study", storage=storage)
    path.unlink()
    with pytest.raises(RuntimeError, match=rf"{path.name} .*run again"):
        study.set_user_attr("goes", "on")
    assert not path.exists()


def test_reading_needs_no_right_to_write(lines, tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"".join(lines))
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        study = optuna.load_study(study_name="study", storage=patient_storage(journal(path)))
        assert len(study.trials) == len(states(path))
    finally:
        tmp_path.chmod(0o700)


def test_a_search_with_half_a_line_goes_on_to_the_same_result(tmp_path):
    path, log = tmp_path / "log", Logged(tmp_path / "evaluated")
    expected = facts(small_search(log, storage=journal(path)).run())
    content = path.read_bytes()
    rng = np.random.RandomState(0)
    for end in rng.randint(len(content) // 3, len(content), size=4):
        path.write_bytes(content[:end])
        done = [t for t in journal(path).get_all_trials(0) if t.state == TrialState.COMPLETE]
        before = len(log.motifs())
        assert facts(small_search(log, storage=journal(path)).run(reclaim=True)) == expected
        # A record of a result that lacked its newline is one more.
        assert len(log.motifs()) - before in (16 - len(done), 15 - len(done))


@pytest.mark.parametrize(
    "record", [{"op_code": code} for code in (4711, -1, True, 4.0, "4", [4], None)] + [{}, [], 4]
)
def test_a_line_of_no_known_operation_is_no_record(lines, record, tmp_path):
    path = tmp_path / "log"
    wrong = json.dumps(record | {"worker_id": "w"} if isinstance(record, dict) else record)
    backend = write(path, b"".join((*lines[:-1], wrong.encode() + b"\n", lines[-1])))
    assert mend_journal(backend) == 1
    assert path.read_bytes() == b"".join(lines)
