r"""Teaches the network of ``adaptive``: ``python tests/training COMMAND``, with the extra ``train`` (torch).

The weights in the package, ``detect/adaptive/neighbourhood.npz``, come from three steps. Each reads and
writes nothing but files, so that several can run at a time; each keeps one processor busy.

1. Samples: what the network sees of two frames of a run, and which blocks changed. The footage has to be
   there: ``../shared/data`` beside the checkout, or ``--data``; its README says what it is. ``--stills`` adds
   folders of other pictures, as scenes of which runs are drawn. 10,000 samples are 0.6 GB.

       for s in 1 2 3 4 5 6; do python tests/training samples out/s$s --seed $s --count 9100; done
       for s in 7 8; do python tests/training samples out/s$s --seed $s --count 8700 --stills STILLS; done

2. Teaching: two networks that differ in their seeds, each taught further with the stills as well, and one,
   the student, that learns what the two say in the mean. 5 minutes, 8 and 6.

       for s in 1 2; do python tests/training teach out/t$s.npz out/s[1-6] --seed $s; done
       for s in 1 2; do
           python tests/training teach out/u$s.npz out/s[1-8] --seed 3$s --steps 7700 --begin out/t$s.npz
       done
       python tests/training teach out/st.npz out/s[1-8] --seed 41 --steps 2800 \
           --teachers out/u2.npz out/u1.npz

3. Whole numbers: the file that the package reads. The command says what they cost, in octaves.

       python tests/training whole out/st.npz out/s8 src/framegate/detect/adaptive/neighbourhood.npz

Is it any good? ``tests/benchmarks/accuracy.py`` measures the package as it is, but on footage that has taught
it. What it does at a place that it has not seen, one tells that was taught without that place: ``teach
--without lot`` leaves out all samples that have anything of the parking lot, and after ``whole``,
``accuracy.py --sets lot planted`` measures that. The groups are ``lot``, ``road`` (highway, sbi_HighwayI),
``room`` (office, sbi_HallAndMonitor), ``yard`` (wallflower_trees, arena_tarp, arena_yard, sbi_Toscana,
collingwood) and ``web`` (webcams and other stills). The same seeds give the same samples and, on one
processor with the same versions, the same network.

The shipped weights were taught by forerunners of these modules, with the same chances and losses but other
draws: seeds 21, 22, 31, 32, 41 and 42 for the 54,705 samples of the footage alone, 51 and 52 for 17,322 with
104 stills, most of them from Debian's opencv-doc and wallpapers.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.footage import GROUPS, library
from training.samples import write
from training.stored import Samples

REPOSITORY = Path(__file__).resolve().parents[2]

STEPS = 4000


def main() -> None:
    arguments = _arguments()
    arguments.act(arguments)


def _samples(arguments: argparse.Namespace) -> None:
    data = Path(arguments.data)
    if not (data / "lot_busy").is_dir():
        sys.exit(f"no footage in {data}: name the folder that holds lot_busy, or set FRAMEGATE_DATA")
    write(arguments.folder, library(data, arguments.stills), arguments.seed, arguments.count)


def _teach(arguments: argparse.Namespace) -> None:
    from training.network import load, save
    from training.teach import student, teach

    samples = Samples(arguments.samples, tuple(arguments.without))
    print(f"{len(samples)} samples", file=sys.stderr)
    teachers = [load(path) for path in arguments.teachers]
    seed, steps = arguments.seed, arguments.steps
    begin = None if arguments.begin is None else load(arguments.begin)
    network = student(samples, seed, steps, teachers) if teachers else teach(samples, seed, steps, begin)
    save(network, arguments.network)


def _whole(arguments: argparse.Namespace) -> None:
    from training.network import load
    from training.whole_numbers import cost, in_whole_numbers

    network, samples = load(arguments.network), Samples(arguments.samples)
    packed = in_whole_numbers(network, samples.evenly(1200))
    arguments.weights.write_bytes(packed)
    print(cost(network, packed, samples.evenly(400)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python tests/training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True)
    samples = commands.add_parser("samples", help="draw samples")
    samples.set_defaults(act=_samples)
    samples.add_argument("folder", type=Path, help="a new one, for the samples")
    samples.add_argument("--seed", type=int, required=True)
    samples.add_argument("--count", type=int, required=True)
    samples.add_argument("--stills", type=Path, nargs="+", default=[], metavar="FOLDER")
    default = os.environ.get("FRAMEGATE_DATA") or REPOSITORY.parent / "shared" / "data"
    samples.add_argument("--data", default=default, help="the footage (default: %(default)s)")
    teach = commands.add_parser("teach", help="teach a network")
    teach.set_defaults(act=_teach)
    teach.add_argument("network", type=Path, help="file for its weights, .npz")
    teach.add_argument("samples", type=Path, nargs="+", help="folders")
    teach.add_argument("--seed", type=int, required=True)
    teach.add_argument("--steps", type=int, default=STEPS)
    teach.add_argument("--without", nargs="+", choices=GROUPS, default=[], metavar="GROUP")
    teach.add_argument("--begin", type=Path, metavar="NETWORK", help="to teach further")
    teach.add_argument("--teachers", type=Path, nargs="+", default=[], metavar="NETWORK")
    whole = commands.add_parser("whole", help="write the package's file")
    whole.set_defaults(act=_whole)
    whole.add_argument("network", type=Path)
    whole.add_argument("samples", type=Path, nargs="+", help="folders")
    whole.add_argument("weights", type=Path, help="neighbourhood.npz")
    return parser.parse_args()


if __name__ == "__main__":
    main()
