"""`python -m tests.dst --seeds A-B [--hours H]`: run seeds; print the first that fails with its history."""

import argparse
import concurrent.futures
import gc
import sys
import time

from tests.dst import world


def _chunk(seeds: range, hours: float, go_on: bool) -> tuple[list[world.Outcome], float]:
    # What was there before the first seed need not be looked at after each.
    gc.freeze()
    began, outcomes = time.process_time(), []
    for seed in seeds:
        outcomes.append(world.run(seed, hours=hours))
        if outcomes[-1].violation and not go_on:
            break
    return outcomes, time.process_time() - began


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.dst", description=__doc__)
    parser.add_argument("--seeds", default="0-199", help="the first and the last, as 0-1999")
    parser.add_argument("--hours", type=float, default=1.0, help="virtual hours of each")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print the history of the first seed, failed or not")
    parser.add_argument("--go-on", action="store_true", help="run every seed, and list those that fail")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    if options.show:
        outcome = world.run(seeds[0], hours=options.hours, keep=True)
        print("\n".join(outcome.history), outcome.violation or "fine", outcome.counts, sep="\n")
        return bool(outcome.violation)
    began, cpu, ran = time.monotonic(), 0.0, 0
    counts: dict[str, int] = {}
    failed: world.Outcome | None = None
    chunks = [seeds[at : at + 20] for at in range(0, len(seeds), 20)]
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(_chunk, chunk, options.hours, options.go_on) for chunk in chunks]
        for future in futures:
            outcomes, took = future.result()
            cpu += took
            for outcome in outcomes:
                ran += 1
                for name, count in outcome.counts.items():
                    counts[name] = counts.get(name, 0) + count
                if outcome.violation:
                    failed = failed or outcome
                    if options.go_on:
                        print(f"seed {outcome.seed}: {outcome.violation[:300]}", flush=True)
            if failed is not None and not options.go_on:
                for other in futures:
                    other.cancel()
                break
    took = time.monotonic() - began
    print("\n".join(f"{counts[name]:>12,}  {name}" for name in sorted(counts)))
    print(f"{ran:,} seeds, {ran * options.hours:,.0f} virtual hours, {took:.1f} s, {cpu:.1f} s of CPU")
    return _judged(failed, hours=options.hours, is_told=options.go_on)


def _judged(failed: world.Outcome | None, *, hours: float, is_told: bool) -> int:
    """The exit code; the end of the first failing seed's history, where it has not been told of."""
    if failed is None or is_told:
        return failed is not None
    print("\n".join(world.run(failed.seed, hours=hours, keep=True).history[-400:]))
    print(f"seed {failed.seed} fails at {failed.violation}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
