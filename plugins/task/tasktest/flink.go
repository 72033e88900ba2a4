package tasktest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// cluster stands for the command line of Flink and for the cluster behind it: a job is a file in the folder cluster beside bin
// that holds its state. It takes nothing down with it when it is killed. The word fails among the arguments of a job makes it
// fail, the word ends makes it finish, and without -d its client waits for the end of it.
const cluster = `#!/bin/sh
home=$(cd -- "$(dirname -- "$0")/.." && pwd)
mkdir -p "$home/cluster"
echo "$*" >> "$home/calls"
for last; do :; done
case $1 in
run | run-application)
  id=$(printf '%032x' $$)
  state=RUNNING
  case " $* " in *" fails "*) state=FAILED ;; *" ends "*) state=FINISHED ;; esac
  echo $state > "$home/cluster/$id"
  echo "Job has been submitted with JobID $id"
  case " $* " in *" -d "*) exit 0 ;; esac
  while [ "$(cat "$home/cluster/$id")" = RUNNING ]; do sleep 0.1; done
  [ "$(cat "$home/cluster/$id")" = FINISHED ] ;;
list)
  [ ! -e "$home/down" ] || { echo "Connection refused" >&2; exit 1; }
  for job in "$home/cluster"/*; do
    case $2 in -r) grep -q RUNNING "$job" || continue ;; esac
    [ -e "$job" ] && echo "22.11.2026 10:00:00 : ${job##*/} : clicks (EU) (RUNNING) ($(cat "$job"))"
  done
  exit 0 ;;
savepoint)
  [ -e "$home/cluster/$last" ] || { echo "Job $last could not be found" >&2; exit 1; }
  echo "Triggering savepoint for job $last."
  echo "Savepoint completed. Path: file:/savepoints/savepoint-$last" ;;
cancel)
  echo CANCELED > "$home/cluster/$last"
  echo "Cancelled job $last." ;;
esac
`

// FlinkCluster writes a program bin/flink that keeps jobs as Flink would, and returns the folder to name in FLINK_HOME. What it is
// called with stands in the file calls there.
func FlinkCluster(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(home, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(home, "bin", "flink"), []byte(cluster), 0o755))
	return home
}
