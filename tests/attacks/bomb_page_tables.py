# verdict: out_of_memory | ok ; what: reads a huge empty mapping here and there, so that its page tables take the memory
import mmap
import time

SIZE = 160 << 30
STEP = 2 << 20
NO_RESERVE = 0x4000
try:
    area = mmap.mmap(
        -1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE, prot=mmap.PROT_READ
    )
    total = sum(area[start] for start in range(0, SIZE, STEP))
    time.sleep(0.5)
    print(f"ESCAPED: 320 MiB of page tables ({total})")
except (OSError, MemoryError):
    print("contained")
