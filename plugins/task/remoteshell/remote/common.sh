# What the other scripts begin with. They are sent to /bin/sh through its standard input, so that nothing of them is in a
# process list; they may use what every POSIX shell has. $task and $mark are set before. Each is one function, which the
# last line calls: of a script that arrives only in part nothing is run.
home="/tmp/dolphinscheduler-remote-shell-$(id -un)"
dir="$home/$task"
echo "$mark" # what the login shell printed stands before it

# nap sleeps for a part of a second where sleep can do that.
nap() { sleep 0.2 2>/dev/null || sleep 1; }

# stamp tells a process from a later one with the same number; it prints nothing where there is no /proc.
stamp() {
  { read -r line <"/proc/$1/stat" && read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null || return 0
  # shellcheck disable=SC2086 # fields
  set -- ${line##*) }
  [ "$1" = Z ] || echo "$boot/${20}"
}

# alive says whether the runner is there. What is left without it will never tell its exit code.
alive() {
  pid=$(cat "$dir/pid" 2>/dev/null)
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && [ "$(stamp "$pid")" = "$(cat "$dir/stamp" 2>/dev/null)" ]
}
