# Starts the script unless that was done before, and prints what became of it: "gone" or "pid N".
main() {
  if [ ! -d "$dir" ]; then
    echo gone
    return
  fi
  if (set -C && : >"$dir/started") 2>/dev/null; then
    if command -v setsid >/dev/null 2>&1; then
      setsid sh "$dir/run.sh" "$dir" "$task" </dev/null >/dev/null 2>&1 &
    else
      set -m # a process group of its own, at least
      nohup sh "$dir/run.sh" "$dir" "$task" </dev/null >/dev/null 2>&1 &
    fi
  fi
  n=0
  until [ -s "$dir/pid" ]; do
    n=$((n + 1))
    if [ "$n" -gt 50 ]; then
      echo "the script could not be started in $dir" >&2
      return 1
    fi
    nap
  done
  echo "pid $(cat "$dir/pid")"
}
main
