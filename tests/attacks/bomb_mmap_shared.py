# verdict: out_of_memory ; what: takes memory as shared pages, which no data limit counts
import mmap
import time

SIZE = 512 << 20
area = mmap.mmap(-1, SIZE)
page = b"x" * mmap.PAGESIZE
for start in range(0, SIZE, mmap.PAGESIZE):
    area[start : start + mmap.PAGESIZE] = page
time.sleep(0.5)
print("ESCAPED: 512 MiB of shared pages")
