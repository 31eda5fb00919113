"""Entries and messages are written so that every later release can read them."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.history.entries import Entry, GroupJudged, RolloutEnded, SoakCredited
from controller.history.records import Outcome, RolloutKind
from controller.ledger.encoding import Unreadable, decode_body, decode_entry, encode, read_moment, write_moment
from controller.model.outbox import Body
from controller.versions import MetadataVersion
from tests.ledger.builders import MINUTE, NEW, NOON, a_rollout, a_start, bodies, entries


@given(entries())
def test_every_entry_is_read_back_as_it_was_written(entry: Entry) -> None:
    """
    Safety: nothing that is recorded is changed by writing it down, down to names that equality does not look at.
    """
    assert repr(entry) == repr(decode_entry(*encode(entry)))


@given(bodies())
def test_every_message_is_read_back_as_it_was_written(body: Body) -> None:
    """
    Safety: what is said after a restart is what was queued before it.
    """
    assert body == decode_body(*encode(body))


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_moments_sort_as_text_as_they_do_in_time(one: datetime, other: datetime) -> None:
    """
    Safety: queries may compare written moments.
    """
    assert one == read_moment(write_moment(one))
    assert (one < other) == (write_moment(one) < write_moment(other))


def test_a_moment_is_written_in_utc_wherever_it_was_taken() -> None:
    """
    The same moment told in another zone is the same text.
    """
    abroad = NOON.astimezone(timezone(timedelta(hours=2)))

    assert "2026-03-02T12:00:00.000000Z" == write_moment(abroad)


def test_kinds_and_fields_are_written_by_name() -> None:
    """
    The written form is what old ledgers hold: this test fails where a rename would make them unreadable.
    """
    kind, body = encode(a_start())
    ended = RolloutEnded(
        rollout=1,
        group="prod-eu",
        kind=RolloutKind.METADATA,
        target=MetadataVersion(30, "4.3-IV0"),
        revision="4f2a",
        outcome=Outcome.CONVERGED,
    )
    start = {"rollout": 1, "cluster": "eu/a", "release_from": "4.1.2", "target": "4.3.1", "token": "17"}
    level = {"level": 30, "name": "4.3-IV0", "changes_metadata": False}

    assert "ClusterStarted" == kind
    assert json.loads(body).items() >= {**start, "expires_at": "2026-03-02T12:02:00.000000Z"}.items()
    assert {"kind": "metadata", "outcome": "converged"}.items() <= json.loads(encode(ended)[1]).items()
    assert level == json.loads(encode(ended)[1])["target"]
    assert ("SoakCredited", '{"rollout":1,"wave":2,"soaked":"PT60S"}') == encode(SoakCredited(1, 2, MINUTE))


def test_a_row_from_before_a_field_was_added_is_read_with_its_default() -> None:
    """
    Fields with a default may be missing, also where a kind has releases among its fields.
    """
    _, body = encode(a_rollout())
    older = {name: value for name, value in json.loads(body).items() if name != "waves"}
    judged = '{"group":"prod-eu","target":"4.3.1","sentence":"…","done":1,"in_flight":0,"of":2}'

    _, started = encode(a_start())
    before_lag = {name: value for name, value in json.loads(started).items() if name != "lag"}

    assert decode_entry("ClusterStarted", json.dumps(before_lag)) == a_start()
    assert "waves=()" in repr(decode_entry("RolloutPlanned", json.dumps(older)))
    assert GroupJudged("prod-eu", str(NEW), "…", 1, 0, 2) == decode_entry("GroupJudged", judged)


def test_a_kind_of_a_newer_release_is_refused() -> None:
    """
    What this program does not know it must not pass over: it could be a halt.
    """
    with pytest.raises(Unreadable, match=r"found the kind 'ClusterMoved'.*a newer Wavefleet wrote it"):
        decode_entry("ClusterMoved", "{}")


@pytest.mark.parametrize(
    "body",
    ["", "{", "null", '{"rollout":"1","cluster":"eu/a"}', '{"rollout":1}', '{"rollout":1,"cluster":null}'],
)
def test_a_body_of_another_shape_is_refused(body: str) -> None:
    """
    Half a body, a missing field and a field of another type are each unreadable, never guessed at.
    """
    with pytest.raises(Unreadable, match="found a ClusterConverged that cannot be read"):
        decode_entry("ClusterConverged", body)


def test_a_release_that_is_none_is_refused() -> None:
    """
    A release is read by the one parser of releases.
    """
    _, body = encode(a_start())

    with pytest.raises(Unreadable, match=r"'4\.3' is no release"):
        decode_entry("ClusterStarted", body.replace("4.3.1", "4.3"))


def test_no_two_things_share_a_kind() -> None:
    """
    Entries and messages are told apart by class name alone.
    """
    names = [kind.__name__ for kind in (*get_args(Entry), *get_args(Body))]

    assert sorted(set(names)) == sorted(names)
