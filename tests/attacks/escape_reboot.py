# verdict: ok ; what: switches the machine's reboot key off, which needs the right to reboot it
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
REBOOT_KEY_OFF = 0
if libc.reboot(REBOOT_KEY_OFF) == 0:
    print("ESCAPED: it may reboot")
print("contained")
