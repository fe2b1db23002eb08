import sys
import threading

sys.setrecursionlimit(1 << 20)
threading.stack_size(1 << 26)


def sums(numbers, total=0):
    return [total + numbers[0], *sums(numbers[1:], total + numbers[0])] if numbers else []


def main():
    print(sums(list(map(int, input().split()))))


thread = threading.Thread(target=main)
thread.start()
thread.join()
