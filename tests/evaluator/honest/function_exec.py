source = "def solve(numbers):\n    return [sum(numbers[:n]) for n in range(1, len(numbers) + 1)]\n"
exec(compile(source, "<made>", "exec"))
