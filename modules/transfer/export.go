package transfer

import (
	"archive/zip"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	flowtext "dorado/modules/flow/text"
	"dorado/modules/schedule"
	"dorado/modules/transfer/dsfile"
	"dorado/modules/transfer/neutral"
	"dorado/modules/workflow"
)

// MaxExport is how many workflows one file may have.
const MaxExport = neutral.MaxWorkflows

// Exported are workflows with all that a file says about them.
type Exported struct {
	Records []dsfile.Record
	heads   []workflow.Workflow
}

// Export reads the current versions of workflows of a project, in the order of codes, each once. It returns ErrNothing,
// workflow.ErrNotFound.
func (s *Service) Export(ctx context.Context, project int64, codes []int64) (*Exported, error) {
	if _, err := s.Projects.Require(ctx, project, workflow.Read); err != nil {
		return nil, err
	}
	if len(codes) == 0 || len(codes) > MaxExport {
		return nil, ErrNothing
	}
	out := &Exported{}
	for i, code := range codes {
		if slices.Contains(codes[:i], code) {
			continue
		}
		w, err := s.Workflows.In(ctx, project, code)
		if err != nil {
			return nil, err
		}
		d, err := s.Workflows.Definition(ctx, code, w.Version)
		if err != nil {
			return nil, err
		}
		timings, err := s.Schedules.OfWorkflow(ctx, project, code)
		if err != nil {
			return nil, err
		}
		d.Version = w.Version
		r := dsfile.Record{Definition: d, ID: w.ID, OwnerID: w.OwnerID, ModifierID: w.ModifiedBy, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt}
		for k := range timings {
			r.Schedules = append(r.Schedules, written(&timings[k]))
		}
		out.Records = append(out.Records, r)
		out.heads = append(out.heads, w)
	}
	return out, nil
}

// written is a schedule as a file has it.
func written(s *schedule.Schedule) dsfile.Timing {
	d := s.Draft()
	t := dsfile.Timing{
		Schedule: neutral.Schedule{
			Name: d.Name, Start: d.Start, End: d.End, Zone: d.TimeZone, Crontab: d.Crontab, FailureStrategy: string(d.FailureStrategy),
			WarningType: string(d.WarningType), WarningGroup: d.WarningGroupID, Priority: string(d.Priority), WorkerGroup: d.WorkerGroup,
			Tenant: d.TenantCode, Environment: d.EnvironmentCode, Calendar: d.CalendarID, DoneBy: d.DoneBy, StartParams: d.StartParams,
		},
		ID: s.ID, UserID: s.UserID, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
	if d.Misfire != schedule.MisfirePolicies()[0] {
		t.Misfire = string(d.Misfire)
	}
	if d.CalendarID != 0 {
		t.CalendarPolicy = string(d.CalendarPolicy)
	}
	if len(t.StartParams) == 0 {
		t.StartParams = nil
	}
	return t
}

// Write writes the workflows as DolphinScheduler exports them. Times are in the viewer's zone.
func (e *Exported) Write(ctx context.Context, out io.Writer, words dsfile.Words, stable bool) error {
	return dsfile.Write(out, e.Records, dsfile.Options{Words: words, Zone: i18n.Zone(ctx), Stable: stable})
}

// Ours lists what in the workflows DolphinScheduler does not know: types of tasks, and settings that it leaves out.
func (e *Exported) Ours() []string {
	var out []string
	add := func(what string) {
		if !slices.Contains(out, what) {
			out = append(out, what)
		}
	}
	for _, r := range e.Records {
		for i := range r.Definition.Tasks {
			t := &r.Definition.Tasks[i]
			if t.Type == "FOR_EACH" || t.Type == "APPROVAL" {
				add(t.Type)
			}
			if t.Finally {
				add("finally")
			}
		}
		if len(r.Schedules) > 1 {
			add("schedules")
		}
	}
	return out
}

// WriteYAML writes an archive with a text for each workflow. codes keeps the codes of workflows and tasks in the texts.
func (s *Service) WriteYAML(ctx context.Context, e *Exported, out io.Writer, codes bool) error {
	archive := zip.NewWriter(out)
	seen := map[string]bool{}
	for _, w := range e.heads {
		text, err := s.Workflows.Source(ctx, w.Code, w.Version, flowtext.Style{Layout: true, Codes: codes, Schedules: true})
		if err != nil {
			return err
		}
		name := fileName(w.Name)
		for n := 1; seen[strings.ToLower(name)]; n++ {
			name = fileName(w.Name) + "_" + number(int64(n))
		}
		seen[strings.ToLower(name)] = true
		// Without times: the same workflows are the same bytes.
		f, err := archive.CreateHeader(&zip.FileHeader{Name: name + ".yaml", Method: zip.Deflate})
		if err != nil {
			return err
		}
		if _, err := io.WriteString(f, text); err != nil {
			return err
		}
	}
	return archive.Close()
}

// fileName makes a name that every file system takes.
func fileName(name string) string {
	name = strings.Trim(strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name), ". ")
	if name == "" {
		return "workflow"
	}
	return name
}

// exportName is how DolphinScheduler calls the files it exports.
func exportName(at time.Time, ext string) string {
	return "workflow_" + at.UTC().Format("20060102150405") + ext
}
