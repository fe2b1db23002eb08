# verdict: ok ; what: opens settings of the kernel for writing; a core pattern is run as the host's root
import os

for name in (
    "sys/kernel/core_pattern", "sys/kernel/modprobe", "sys/kernel/hotplug",
    "sys/kernel/ns_last_pid", "sys/vm/overcommit_memory", "sys/vm/drop_caches",
    "sys/net/ipv4/ip_forward", "sys/fs/binfmt_misc/register", "sysrq-trigger", "irq/default_smp_affinity",
):  # fmt: skip
    try:
        os.close(os.open(f"/proc/{name}", os.O_WRONLY))
        print(f"ESCAPED: /proc/{name} can be written")
    except OSError:
        continue
print("contained")
