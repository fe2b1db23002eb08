import sys


def main():
    numbers = list(map(int, input().split()))
    print([sum(numbers[: end + 1]) for end in range(len(numbers))])
    return 0


if __name__ == "__main__":
    sys.exit(main())
