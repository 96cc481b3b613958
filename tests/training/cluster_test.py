"""What `TF_CONFIG` says, and what is wrong with it."""

import json
import socket

from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.training import cluster

WORKERS = ["a:1000", "b:1000"]


def read(content):
    text = content if isinstance(content, str) else json.dumps(content)
    return cluster.read({"TF_CONFIG": text})


def config(jobs=None, role="worker", index=0):
    return {
        "cluster": {"worker": WORKERS} if jobs is None else jobs,
        "task": {"type": role, "index": index},
    }


class ClusterTest(parameterized.TestCase):
    def test_without_a_chief_the_first_worker_comes_first(self):
        found = read(config(index=1))
        self.assertEqual(found, cluster.Cluster(tuple(WORKERS), 1))
        self.assertEqual(found.port, 1000)

    def test_a_chief_comes_before_the_workers(self):
        jobs = {"worker": WORKERS, "chief": ["c:5"]}
        addresses = ("c:5", *WORKERS)
        for role, index, place in (
            ("chief", 0, 0),
            ("worker", 0, 1),
            ("worker", 1, 2),
        ):
            self.assertEqual(
                read(config(jobs, role, index)),
                cluster.Cluster(addresses, place),
            )

    def test_an_evaluator_beside_them_does_not_matter(self):
        jobs = {"worker": WORKERS, "evaluator": ["e:1"]}
        self.assertLen(read(config(jobs)).addresses, 2)

    @parameterized.parameters(
        ("", "not set.*Expected, in each worker's environment"),
        ("{", "is wrong: it is no JSON"),
        ("[]", "has no 'cluster'"),
        ({"cluster": {"worker": WORKERS}}, "has no 'task'"),
        (config(role="ps"), "type 'ps'.*no parameter servers"),
        (config(role="evaluator"), "type 'evaluator'"),
        (
            config({"worker": WORKERS, "ps": ["d:1"]}),
            r"cluster has \['ps'\].*without parameter servers",
        ),
        (config(index=2), "worker 2, and the cluster has 2 of these"),
        (config(index="0"), "worker '0'"),
        (config(index=-1), "worker -1"),
        (config(role="chief"), "chief 0, and the cluster has 0"),
        (config({"chief": ["a:1", "b:1"]}, "chief"), "more than one chief"),
        (config({"worker": "a:1"}), "no list"),
        (config({"worker": ["a"]}), "'a' is no address. Expected HOST:PORT"),
        (config({"worker": ["a:0"]}), "port from 1 to 65535"),
        (config({"worker": ["a:70000"]}), "'a:70000'"),
        (config({"worker": ["a:1", "a:1"]}), "an address twice"),
    )
    def test_what_is_wrong_is_told(self, content, expected):
        with self.assertRaisesRegex(ValueError, f"(?s)TF_CONFIG.*{expected}"):
            read(content)

    def test_a_port_that_is_taken_is_told_before_tensorflow_fails(self):
        with socket.socket() as listener:
            listener.bind(("", 0))
            listener.listen()
            port = listener.getsockname()[1]
            taken = cluster.Cluster((f"localhost:{port}",), 0)
            with self.assertRaisesRegex(OSError, f"Port {port} .*another port"):
                cluster.check_port(taken)
        cluster.check_port(taken)


if __name__ == "__main__":
    absltest.main()
