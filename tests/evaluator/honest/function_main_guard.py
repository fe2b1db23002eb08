import sys
import unittest


def solve(numbers):
    return [sum(numbers[: end + 1]) for end in range(len(numbers))]


class Tests(unittest.TestCase):
    def test_sums(self):
        self.assertEqual(solve([1, 2]), [1, 3])


if __name__ == "__main__":
    print(solve([int(word) for word in sys.stdin.read().split()]))
    unittest.main()
    sys.exit(3)
