import sys


class Solution:
    def solve(self, numbers):
        return [sum(numbers[: end + 1]) for end in range(len(numbers))]


print(Solution().solve(list(map(int, sys.stdin.readline().split()))))
