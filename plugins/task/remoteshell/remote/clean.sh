# Removes the files of a task.
main() { rm -rf "$dir"; }
main
