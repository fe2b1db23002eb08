import concurrent.futures


def solve(numbers):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda end: sum(numbers[: end + 1]), range(len(numbers))))
