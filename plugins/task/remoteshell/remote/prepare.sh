# Puts the files of a task into a directory that is its user's alone. Needs the functions body and runner, which print them.
main() {
  umask 077
  mkdir -m 700 "$home" 2>/dev/null
  if [ -L "$home" ] || [ ! -d "$home" ] || [ ! -O "$home" ] || ! chmod 700 "$home"; then
    echo "$home does not belong to $(id -un)" >&2
    return 1
  fi
  # What was left behind by workers that never came back.
  find "$home" -mindepth 2 -maxdepth 2 -name status -mtime +7 2>/dev/null | while read -r old; do rm -rf "${old%/status}"; done
  mkdir -p "$dir" && body >"$dir/body.sh" && runner >"$dir/run.sh"
}
main
