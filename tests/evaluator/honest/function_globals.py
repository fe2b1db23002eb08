total = 0
seen = []


def add(number):
    global total
    total += number
    seen.append(total)


def solve(numbers):
    global total
    total = 0
    seen.clear()
    for number in numbers:
        add(number)
    return seen
