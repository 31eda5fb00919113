"""Plays more seeds than the tests do: ``python -m tests.simulation --seeds 1000 --from 300``.

Prints each seed that breaks a promise with the promise, and at the end how often everything was reached. Exit code 1
where any seed broke one, or where ``--all`` was asked for and something was never reached.
"""

import argparse
import sys
import traceback

from tests.simulation.play import Reached
from tests.simulation.quiet import no_logs
from tests.simulation.reaching import missed, table
from tests.simulation.run import run


def main(arguments: list[str]) -> int:
    """Play the seeds that ``arguments`` name."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    parser.add_argument("--trace", action="store_true", help="show where in the code a promise was seen to be broken")
    parser.add_argument("--all", action="store_true", help="demand that everything is reached")
    asked = parser.parse_args(arguments)
    reached, broken, cycles = Reached(), 0, 0
    with no_logs():
        for seed in range(asked.first, asked.first + asked.seeds):
            try:
                play = run(seed)
            except Exception as error:  # noqa: BLE001 - whatever ends a seed is told, and the others are played
                broken += 1
                sys.stdout.write(f"seed {seed}: {type(error).__name__}: {error}\n")
                if asked.trace:
                    traceback.print_exc(file=sys.stdout)
                continue
            reached.add(play.reached)
            cycles += play.cycles
    sys.stdout.write(f"{table(reached)}\n{broken} of {asked.seeds} seeds broke a promise, {cycles} cycles\n")
    never = missed(reached)
    if never:
        sys.stdout.write(f"never reached: {', '.join(never)}\n")
    return 1 if broken or (never and asked.all) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
