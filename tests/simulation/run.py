"""Runs one seed: a world, trouble, calm, and the end; what it reached is added up for coverage."""

from random import Random

from tests.simulation.ends import come_to_rest, end
from tests.simulation.play import Play
from tests.simulation.trouble import Trouble
from tests.simulation.world import begin

TROUBLED_CYCLES = 130


def run(seed: int, play: Play | None = None) -> Play:
    """Play one seed to its end, in a ``play`` that has not begun, and return it; raises PromiseBroken."""
    random = Random(seed)
    play = play or Play()
    written = begin(random, play)
    trouble = Trouble(random, play, written, seed)
    for _ in range(TROUBLED_CYCLES):
        trouble.strike()
        play.pass_time()
        play.cycle()
    trouble.calm()
    come_to_rest(play)
    end(play, trouble)
    play.check_fold()
    return play
