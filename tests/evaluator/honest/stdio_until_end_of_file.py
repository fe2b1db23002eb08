numbers = []
while True:
    try:
        numbers += map(int, input().split())
    except EOFError:
        break
sums = [sum(numbers[: end + 1]) for end in range(len(numbers))]
print(sums)
