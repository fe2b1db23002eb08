// verdict: ok | compile_error ; what: has the compiler read a file of the host's root into the program
#if __has_include("/etc/shadow")
#error ESCAPED: the compiler may read /etc/shadow
#endif
#if __has_include("/root/.ssh/id_rsa") || __has_include("/root/.bashrc")
#error ESCAPED: the compiler may read the home of root
#endif
#include <stdio.h>

int main(void) {
    puts("contained");
    return 0;
}
