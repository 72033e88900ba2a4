# Prints the log from byte $offset on, until the script has ended: "D n" and a line end before n bytes, "." when nothing
# happens, "E code" or "L" (it will never tell its code) or "G" (nothing is known of it) at the end.
main() {
  if [ ! -d "$dir" ]; then
    echo G
    return
  fi
  idle=0
  while :; do
    end=
    if [ -s "$dir/status" ]; then
      end="E $(cat "$dir/status")"
    elif ! alive; then
      # It may have ended between the two looks.
      if [ -s "$dir/status" ]; then end="E $(cat "$dir/status")"; else end=L; fi
    fi
    size=$(wc -c 2>/dev/null <"$dir/log")
    size=$((size + 0))
    if [ "$size" -gt "$offset" ]; then
      n=$((size - offset))
      [ "$n" -le 1048576 ] || n=1048576
      echo "D $n"
      tail -c "+$((offset + 1))" "$dir/log" | head -c "$n"
      offset=$((offset + n))
      idle=0
      continue
    fi
    if [ -n "$end" ]; then
      echo "$end"
      return
    fi
    # Soon after output there is often more; later one look a second is enough.
    idle=$((idle + 1))
    if [ "$idle" -lt 20 ]; then
      nap
    else
      echo . || return
      sleep 1
    fi
  done
}
main
