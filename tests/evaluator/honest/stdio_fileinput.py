import fileinput

numbers = [int(word) for line in fileinput.input() for word in line.split()]
sums = [sum(numbers[: end + 1]) for end in range(len(numbers))]
print(sums)
