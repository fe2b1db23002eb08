"""Program: a Ray cluster of two nodes on this machine, two CPUs each; prints its address, ends with stdin."""

import sys

from ray.cluster_utils import Cluster


def main() -> None:
    """Until stdin ends."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    sys.stdout.write(cluster.address + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    cluster.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
