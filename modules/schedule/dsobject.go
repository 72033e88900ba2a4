package schedule

import (
	"bytes"
	"encoding/json"
	"strings"

	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

// dsPlain is a schedule as DolphinScheduler's clients know it, under the names of both of its generations: the address
// does not tell which one asks. Start and end are wall-clock times in the schedule's zone, as they were sent.
type dsPlain struct {
	ID              int64                `json:"id"`
	WorkflowCode    int64                `json:"workflowDefinitionCode"`
	WorkflowName    string               `json:"workflowDefinitionName"`
	ProjectName     *string              `json:"projectName"`
	Description     *string              `json:"definitionDescription"`
	StartTime       string               `json:"startTime"`
	EndTime         string               `json:"endTime"`
	TimeZone        string               `json:"timezoneId"`
	Crontab         string               `json:"crontab"`
	FailureStrategy flow.FailureStrategy `json:"failureStrategy"`
	WarningType     flow.WarningType     `json:"warningType"`
	CreateTime      dsapi.Time           `json:"createTime"`
	UpdateTime      dsapi.Time           `json:"updateTime"`
	UserID          int64                `json:"userId"`
	UserName        string               `json:"userName"`
	ReleaseState    flow.ReleaseState    `json:"releaseState"`
	WarningGroupID  int64                `json:"warningGroupId"`
	Priority        flow.Priority        `json:"workflowInstancePriority"`
	WorkerGroup     string               `json:"workerGroup"`
	TenantCode      string               `json:"tenantCode"`
	EnvironmentCode int64                `json:"environmentCode"`
	EnvironmentName *string              `json:"environmentName"`
}

// dsSchedule is a schedule with what DolphinScheduler does not have at the end. Its clients ignore that in answers about
// schedules; inside other objects a schedule is plain.
type dsSchedule struct {
	dsPlain

	Name           string          `json:"scheduleName"`
	Misfire        MisfirePolicy   `json:"misfirePolicy"`
	CalendarID     *int64          `json:"calendarId"`
	CalendarPolicy CalendarPolicy  `json:"calendarPolicy"`
	DoneBy         string          `json:"doneBy"`
	StartParams    []flow.Property `json:"startParams"`
}

func toPlain(r Schedule, projectName string) dsPlain {
	return dsPlain{
		ID: r.ID, WorkflowCode: r.WorkflowCode, WorkflowName: r.WorkflowName, ProjectName: dsapi.OrNull(projectName), StartTime: r.StartText(),
		EndTime: r.EndText(), TimeZone: r.TimeZone, Crontab: r.Crontab, FailureStrategy: r.FailureStrategy, WarningType: r.WarningType,
		CreateTime: dsapi.Time(r.CreatedAt), UpdateTime: dsapi.Time(r.UpdatedAt), UserID: r.UserID, UserName: r.UserName,
		ReleaseState: r.ReleaseState, WarningGroupID: r.WarningGroupID, Priority: r.Priority, WorkerGroup: r.WorkerGroup,
		TenantCode: r.TenantCode, EnvironmentCode: r.EnvironmentCode, EnvironmentName: dsapi.OrNull(r.EnvironmentName),
	}
}

func toDS(r Schedule, projectName string) dsSchedule {
	params := r.Params()
	if params == nil {
		params = []flow.Property{}
	}
	return dsSchedule{
		dsPlain: toPlain(r, projectName), Name: r.Name, Misfire: r.Misfire, CalendarID: r.CalendarID, CalendarPolicy: r.CalendarPolicy,
		DoneBy: r.DoneBy, StartParams: params,
	}
}

// dsTiming is the JSON text in the parameter "schedule". Members that are null or not texts count as missing; a text may
// have been put into quotes once more.
type dsTiming struct {
	StartTime, EndTime, TimeZone, Crontab string
}

func decodeTiming(text string) (dsTiming, error) {
	raw := []byte(strings.TrimSpace(text))
	if bytes.HasPrefix(raw, []byte(`"`)) {
		var inner string
		if json.Unmarshal(raw, &inner) == nil {
			raw = []byte(strings.TrimSpace(inner))
		}
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		return dsTiming{}, errText.With("text", clip(text)).Because(err)
	}
	member := func(name string) string {
		v, _ := all[name].(string)
		return strings.TrimSpace(v)
	}
	t := dsTiming{member("startTime"), member("endTime"), member("timezoneId"), member("crontab")}
	if t.StartTime == "" || t.EndTime == "" || t.TimeZone == "" || t.Crontab == "" {
		return t, errText.With("text", clip(text))
	}
	return t, nil
}

// clip keeps what is repeated in a message short.
func clip(text string) string {
	const most = 200
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

func (t dsTiming) into(d *Draft) {
	d.Start, d.End, d.TimeZone, d.Crontab = t.StartTime, t.EndTime, t.TimeZone, t.Crontab
}
