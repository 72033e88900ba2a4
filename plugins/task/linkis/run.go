package linkis

import (
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const cli = `"${LINKIS_HOME}/bin/linkis-cli"`

// submit leaves the id in DORADO_ID.
const submit = `DORADO_SAID=$(SUBMIT 2>&1) || { printf '%s\n' "$DORADO_SAID"; exit 1; }
printf '%s\n' "$DORADO_SAID"
DORADO_ID=$(printf '%s\n' "$DORADO_SAID" | sed -n 's/.*"taskID": "\([0-9][0-9]*\)".*/\1/p' | head -n 1)
[ -n "$DORADO_ID" ] || { echo "Linkis told no task id" >&2; exit 1; }`

// attach goes on with the task of an attempt whose worker was lost, and names it in this log, too.
const attach = `echo "Going on with the task of an earlier attempt"
printf '"taskID": "%s"\n' "$DORADO_ID"`

// follow asks until the task has ended. A few answers in a row may fail to come; only changes are printed.
const follow = `DORADO_LAST= DORADO_MISSED=0
while :; do
  DORADO_SAID=$(CLI --status "$DORADO_ID" 2>&1) || :
  DORADO_STATUS=$(printf '%s\n' "$DORADO_SAID" | sed -n 's/.*"status": "\([A-Za-z]*\)".*/\1/p' | tail -n 1 | tr '[:lower:]' '[:upper:]')
  if [ "$DORADO_STATUS" != "$DORADO_LAST" ]; then
    printf '%s\n' "$DORADO_SAID"
    DORADO_LAST=$DORADO_STATUS
  fi
  case $DORADO_STATUS in
    SUCCEED) exit 0 ;;
    FAILED | TIMEOUT) exit 1 ;;
    CANCELLED) exit 137 ;;
    "") DORADO_MISSED=$((DORADO_MISSED + 1))
      if [ "$DORADO_MISSED" -ge 12 ]; then printf '%s\n' "$DORADO_SAID" "Linkis tells no status"; exit 1; fi ;;
    *) DORADO_MISSED=0 ;;
  esac
  sleep "${DORADO_LINKIS_INTERVAL:-5}"
done`

// process submits and then asks for the status; DolphinScheduler asks only once.
func process(v form.Values, env task.Env) (task.Command, error) {
	var lines []string
	if ids := launch.IDs(env.Link); len(ids) > 0 {
		lines = append(lines, "DORADO_ID="+launch.Quote(ids[len(ids)-1]), attach)
	} else {
		line := launch.NewLine(cli).Words("--async", "true")
		if v.Bool(useCustom) {
			line.Shell(v.Text(launch.RawScript))
		} else {
			for _, row := range v.Rows(paramScript) {
				if name := strings.TrimSpace(row["prop"]); name != "" {
					line.Words(name)
					if row["value"] != "" {
						line.Words(row["value"])
					}
				}
			}
		}
		lines = append(lines, strings.Replace(submit, "SUBMIT", line.String(), 1))
	}
	lines = append(lines, strings.Replace(follow, "CLI", cli, 1))
	env.Link = "" // the work of the earlier attempt goes on
	return launch.Job{
		Needs: []string{"LINKIS_HOME"}, Lines: lines,
		Remote: &task.Remote{
			Pattern: `"taskID": "(\d+)"`,
			Cancel:  "failed=0\nfor id in $DORADO_REMOTE_IDS; do\n  " + cli + " --kill \"$id\" || failed=$?\ndone\nexit $failed",
		},
	}.Command(env), nil
}
