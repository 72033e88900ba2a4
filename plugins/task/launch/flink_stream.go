package launch

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// FlinkStream builds the command of a Flink job that has no end. The job is not shut down with its client, and when the client
// ends before it, because it was told to submit only or because the SQL client always does, the script looks after the job until
// that ends. An attempt that finds the job of an earlier one looks after it at once, and submits nothing.
func FlinkStream(v form.Values, env task.Env) (task.Command, error) {
	job := Job{Needs: []string{"FLINK_HOME"}, Remote: flinkRemote(v)}
	place := flinkWhere(v)
	job.Remote.Stays = place != inClient
	job.Remote.Save, job.Remote.Saved = flinkSave(v, place), `Path: (\S+)`
	if ids := IDs(env.Link); len(ids) > 0 && place != inClient {
		job.Lines = append(job.Lines, flinkFound(place, ids), flinkFollow(place))
		env.Link = "" // nothing is left to be ended
		return job.Command(env), nil
	}
	own := ""
	if place == onKubernetes {
		v, own = flinkNamed(v, env)
	}
	line, err := flinkLine(&job, v, env, false)
	if place == inClient {
		job.Lines = append(job.Lines, line.String())
		return job.Command(env), err
	}
	said := Quote(filepath.Join(env.Dir, env.ID()+"_said"))
	submit := []string{
		"{\n" + line.String() + "\necho $? > " + said + ".code\n} 2>&1 | tee " + said,
		"code=$(cat " + said + ".code)",
		`[ "$code" = 0 ] || exit "$code"`,
		"ids=$(" + flinkNames(place) + " " + said + " | sort -u)",
	}
	if own != "" {
		found := `if [ -n "$(kubectl get deployment ` + own + ` --ignore-not-found -o name)" ]; then`
		submit = slices.Concat([]string{found, flinkFound(place, []string{own}), "else"}, submit, []string{"fi"})
	}
	job.Lines = slices.Concat(job.Lines, submit, []string{flinkFollow(place)})
	return job.Command(env), err
}

// flinkNamed gives a cluster on Kubernetes that the settings do not name a name which only this start of the task has, and returns
// it: an attempt that follows one whose worker was lost before anybody was told the name finds the work by it, and the cluster
// refuses a second one. It returns "" for work that the settings name, because anybody's may be called so.
func flinkNamed(v form.Values, env task.Env) (named form.Values, own string) {
	if strings.TrimSpace(v.Text(AppName)) != "" || strings.Contains(v.Text(Others), "kubernetes.cluster-id") {
		return v, ""
	}
	own = fmt.Sprintf("dorado-%d-%d", env.TaskCode, env.WorkflowInstanceID)
	named = maps.Clone(v)
	named[AppName] = own
	return named, own
}

// flinkNames is a command that prints the names of the work which stand in a file.
func flinkNames(place flinkPlace) string {
	switch place {
	case onYarn:
		return `grep -o 'application_[0-9][0-9]*_[0-9][0-9]*'`
	case onKubernetes:
		return `sed -n 's/.*application cluster \([^ ]*\) successfully.*/\1/p'`
	case onSession, inClient:
	}
	return `sed -n 's/.*Job \{0,1\}ID:\{0,1\} \([[:alnum:]_]*\).*/\1/p'`
}

// flinkFound says the names of work that an earlier attempt began, in words in which they are found again.
func flinkFound(place flinkPlace, ids []string) string {
	lines := []string{"# The worker of an earlier attempt was lost. Its job goes on and is looked after; nothing is submitted.", "ids=" + Quote(strings.Join(ids, " "))}
	for _, id := range ids {
		text := "An earlier attempt submitted JobID " + id
		switch place {
		case onYarn:
			text = "An earlier attempt submitted " + id
		case onKubernetes:
			text = "An earlier attempt submitted application cluster " + id + " successfully"
		case onSession, inClient:
		}
		lines = append(lines, "echo "+Quote(text))
	}
	return strings.Join(lines, "\n")
}

// flinkState is a function of the shell that prints the state of one job: nothing when the cluster does not know it. It fails
// when the cluster does not answer.
func flinkState(place flinkPlace) string {
	ask, read := flinkBin+" list -a", `printf '%s\n' "$said" | sed -n "s/.* : $1 : .*(\([A-Z]*\)).*/\1/p" | tail -n 1`
	switch place {
	case onYarn:
		ask = `yarn application -status "$1"`
		read = `printf '%s\n' "$said" | sed -n 's/^[[:space:]]*Final-State : //p' | sed 's/UNDEFINED/RUNNING/'`
	case onKubernetes:
		ask = `kubectl get deployment "$1" --ignore-not-found -o name`
		read = `if [ -n "$said" ]; then echo RUNNING; else echo FINISHED; fi`
	case onSession, inClient:
	}
	return `job_state() {
  said=$(` + ask + ` 2>&1) || { printf '%s\n' "$said" | tail -n 3 >&2; return 1; }
  ` + read + `
}`
}

// flinkFollow waits for the end of the jobs in $ids. Each look costs a start of Java, so there are few of them. A cluster that
// does not answer for ten minutes, or does not know a job three times, ends the waiting.
func flinkFollow(place flinkPlace) string {
	return flinkState(place) + `
failed=0
for id in $ids; do
  away=0 unknown=0
  while :; do
    if state=$(job_state "$id"); then
      away=0
      case $state in
        FINISHED|SUCCEEDED) break ;;
        FAILED|KILLED|CANCELED) echo "$id ended: $state"; failed=1; break ;;
        '') unknown=$((unknown + 1)); echo "$id is not known to the cluster" ;;
        *) unknown=0 ;;
      esac
    else
      away=$((away + 1)); echo "the cluster does not say what $id does"
    fi
    if [ $away -ge 20 ] || [ $unknown -ge 3 ]; then
      echo "$id is looked after no longer; it may go on"; failed=1; break
    fi
    sleep "${DORADO_FOLLOW_SECONDS:-30}"
  done
done
exit $failed`
}

// flinkSave is the script that takes a savepoint. On a cluster of its own the job's name has to be asked for.
func flinkSave(v form.Values, place flinkPlace) string {
	var options string
	switch version := v.Text(FlinkVersion); {
	case place == inClient:
		return ""
	case place == onSession:
		return flinkEach("savepoint")
	case place == onKubernetes:
		options = `-t kubernetes-application -Dkubernetes.cluster-id="$id"`
	case v.Text(DeployMode) == flinkApplication:
		options = `-t yarn-application -Dyarn.application.id="$id"`
	case version == since112 || version == since113 || v.Text(ProgramType) == flinkSQL:
		options = `-t yarn-per-job -Dyarn.application.id="$id"`
	default:
		options = `-m yarn-cluster -yid "$id"`
	}
	return `failed=0
for id in $DORADO_REMOTE_IDS; do
  jobs=$(` + flinkBin + ` list -r ` + options + ` | sed -n 's/.* : \([0-9a-f]\{32\}\) : .*/\1/p')
  [ -n "$jobs" ] || { echo "no job runs in $id"; failed=1; }
  for job in $jobs; do
    ` + flinkBin + ` savepoint ` + options + ` "$job" || failed=$?
  done
done
exit $failed`
}
