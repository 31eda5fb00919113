"""A group with external gates, asked by the daemon itself over HTTP: no, silence, and at last yes."""

from collections.abc import Callable
from pathlib import Path

from controller.history.entries import GroupJudged, RolloutEnded
from controller.history.records import Outcome
from controller.runtime.clock import SystemClock
from tests.fakes.gate_servers import SECRET, TOKEN, FakePrometheus, FakeWebhook, vector
from tests.fakes.loopback import Answer
from tests.processes.worlds import CLUSTERS, GROUP, NEW, World, group

GATES = """\
  gates:
    - {{prometheus: {{name: p99-produce, query: "max(p99)", below: 0.25, samples: 2}}}}
    - {{webhook: {{name: change-calendar, url: "{url}/changes"}}}}
"""


def a_world(folder: Path, prometheus: FakePrometheus) -> World:
    """A world whose daemon knows Prometheus and the webhooks' secret."""
    return World(
        folder,
        prometheus_url=prometheus.origin,
        prometheus_token=TOKEN,
        webhook_secret=SECRET,
        gate_timeout="1s",
    )


def judged(world: World, words: str) -> Callable[[], bool]:
    """Return a question: was the group judged with these words?"""
    return lambda: any(isinstance(entry, GroupJudged) and words in entry.sentence for entry in world.entries())


def test_nothing_starts_until_every_gate_says_yes(tmp_path: Path) -> None:
    """
    A number outside its bounds, then a Prometheus that hangs, then a calendar that says no hold the whole group, each
    with its own words; cycles go on all the while. Once both say yes the fleet is upgraded.
    """
    with FakePrometheus(token=TOKEN) as prometheus, FakeWebhook(SystemClock().now()) as calendar:
        world = a_world(tmp_path, prometheus)
        prometheus.reply = vector("0.3")
        with world.daemon() as daemon:
            daemon.await_for(daemon.is_ready, "the first cycle")
            gated = group(NEW, more=GATES.format(url=calendar.origin))
            world.repository.publish({GROUP: gated}, f"Upgrade to {NEW}")

            daemon.await_for(
                judged(world, "(GateFailed): p99-produce says no: Prometheus answered 0.3, expected"), "a no"
            )
            prometheus.hang(times=1000)
            daemon.await_for(judged(world, "(GateUnanswered): p99-produce gave no answer: Prometheus at "), "no answer")
            calendar.reply = Answer.json({"pass": False, "reason": "quarter's end"})
            prometheus.reply = vector("0.12")
            prometheus.recover()
            daemon.await_for(
                judged(world, "(GateFailed): change-calendar says no: the webhook at "), "the calendar's no"
            )
            assert [] == world.started()

            calendar.reply = Answer.json({"pass": True})
            daemon.await_for(world.has_entry(RolloutEnded, outcome=Outcome.CONVERGED), "the end of the rollout")

        assert sorted(CLUSTERS) == sorted(world.started())
        assert [] == calendar.refusals
        log = (tmp_path / "daemon.log").read_text(encoding="utf-8")
        assert TOKEN not in log
        assert SECRET not in log
