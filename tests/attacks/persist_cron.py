# verdict: ok ; what: has itself started again, by cron, by systemd, at a login, or in every process
LINE = "* * * * * root true\n"
for path in (
    "/etc/cron.d/mine", "/etc/crontab", "/etc/cron.hourly/mine", "/var/spool/cron/crontabs/root",
    "/var/spool/cron/root", "/etc/systemd/system/mine.service", "/etc/profile.d/mine.sh",
    "/etc/rc.local", "/etc/ld.so.preload", "/etc/ld.so.conf.d/mine.conf", "/root/.bashrc",
    "/etc/init.d/mine", "/var/spool/at/mine",
):  # fmt: skip
    try:
        with open(path, "a") as file:
            file.write(LINE)
        print(f"ESCAPED: {path} was written")
    except OSError:
        continue
print("contained")
