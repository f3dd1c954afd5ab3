"""Seconds with two writers, and seconds with none, for what may break between three places.

    python -m bench.dr_cuts

Three network namespaces with a real member of etcd in each, agents and writers at two of them; needs root
and Debian's etcd-server and faketime. The controller of the city takes the group over as soon as the protocol
lets it.
"""

from dr.failover.timing import wait_s
from tests.cut_cases import CASES, LEASE_S, STOP_S, Outcome, run_case, three_places


def main() -> None:
    """Run every case and print the table."""
    print(f"lease {LEASE_S:.0f} s, a controller waits {wait_s(LEASE_S, stop_s=STOP_S):.2f} s for its end\n")
    print(f"| {'what breaks':<36} | both write, s | nobody writes, s | the city takes over     |")
    print(f"|{'-' * 38}|--------------:|-----------------:|-------------------------|")
    outcomes: list[Outcome] = []
    with three_places() as (places, home):
        for case in CASES:
            one = run_case(places, home, case)
            outcomes.append(one)
            how = f"by {one.proof}" if one.moved else "no majority: it may not"
            print(
                f"| {one.name:<36} | {one.overlap_s:>13.3f} | {one.silence_s:>16.2f} | {how:<19} |",
                flush=True,
            )
    print(f"\nin all {sum(one.overlap_s for one in outcomes):.3f} s with two writers")


if __name__ == "__main__":
    main()
