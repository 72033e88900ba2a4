# Ends all that a task started, and removes its files. Prints numbers of processes that could not be ended.
members() {
  grep -lsF "DORADO_REMOTE_TASK=$task" /proc/[0-9]*/environ 2>/dev/null | while IFS=/ read -r _ _ p _; do
    [ -z "$(stamp "$p")" ] || echo "$p"
  done
  [ -n "$leader" ] || return 0
  for stat in /proc/[0-9]*/stat; do
    { read -r line <"$stat"; } 2>/dev/null || continue
    p=${line%% *}
    # shellcheck disable=SC2086 # fields: state, parent, group, session
    set -- ${line##*) }
    if [ "$1" != Z ] && { [ "$3" = "$leader" ] || [ "$4" = "$leader" ]; }; then echo "$p"; fi
  done
}

# signal sends $1 to all of them and says whether there was anybody.
signal() {
  all=$(members)
  # shellcheck disable=SC2086 # numbers
  [ -z "$all" ] || kill "-$1" $all 2>/dev/null
  [ -z "$leader" ] || kill "-$1" "-$leader" 2>/dev/null || [ -n "$all" ] || return
  [ -n "$all" ] || [ ! -d /proc/self ]
}

main() {
  [ -d "$dir" ] || return 0
  n=0
  if ! (set -C && : >"$dir/started") 2>/dev/null; then # otherwise nobody starts it any more
    until [ -s "$dir/pid" ] || [ "$n" -gt 10 ]; do
      n=$((n + 1))
      nap
    done
  fi
  leader=
  # The number may belong to somebody else by now; then the environment finds what is left.
  if alive || [ ! -d /proc/self ]; then leader=$(cat "$dir/pid" 2>/dev/null); fi
  n=0
  while signal TERM && [ "$n" -lt 8 ]; do
    n=$((n + 1))
    nap
  done
  n=0
  while signal KILL && [ "$n" -lt 8 ]; do
    n=$((n + 1))
    nap
  done
  members | sort -u
  rm -rf "$dir"
}
main
