import contextlib
import io
import sys

numbers = [int(word) for word in sys.stdin.read().split()]
caught = io.StringIO()
with contextlib.redirect_stdout(caught):
    print([sum(numbers[: end + 1]) for end in range(len(numbers))])
sys.stdout.write(caught.getvalue())
