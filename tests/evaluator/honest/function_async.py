import asyncio


async def sums(numbers):
    found = []
    for number in numbers:
        await asyncio.sleep(0)
        found.append(number + (found[-1] if found else 0))
    return found


def solve(numbers):
    return asyncio.run(sums(numbers))
