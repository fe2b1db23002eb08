// verdict: forbidden_call | runtime_error | ok ; what: calls by the 32-bit numbers, which mean other calls
#include <stdio.h>

int main(void) {
#ifdef __x86_64__
    long result;
    /* 20 is getpid there, and writev by the 64-bit numbers. */
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
    if (result > 0)
        printf("ESCAPED: 32-bit getpid returned %ld\n", result);
#endif
    puts("contained");
    return 0;
}
