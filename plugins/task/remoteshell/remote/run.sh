# Runs the script of a task in a session of its own and keeps its exit code. $1 is the directory, $2 the task.
dir=$1
export DORADO_REMOTE_TASK="$2" # by which processes are found that left the session
{ read -r line </proc/$$/stat && read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null && {
  # shellcheck disable=SC2086 # fields
  set -- ${line##*) }
  echo "$boot/${20}" >"$dir/stamp"
}
: >"$dir/log"
echo $$ >"$dir/pid.new" && mv -f "$dir/pid.new" "$dir/pid"
shell=bash
command -v bash >/dev/null 2>&1 || shell=sh
"$shell" "$dir/body.sh" </dev/null >>"$dir/log" 2>&1
echo $? >"$dir/status.new" && mv -f "$dir/status.new" "$dir/status"
