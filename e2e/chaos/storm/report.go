package storm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dorado/e2e/chaos/check"
)

// String is the result in a few lines.
func (r Result) String() string {
	var b strings.Builder
	done := 0
	for _, f := range r.Faults {
		if f.Void == "" && f.Kind != "exit" && f.Kind != absent {
			done++
		}
	}
	c := r.Verdict.Counts
	fmt.Fprintf(&b, "seed %d: %d faults (%d void) in %s; %d triggers, %d runs, %d attempts, %d ledger lines\n",
		r.Options.Seed, done, len(r.Plan)-done, r.Took.Round(time.Second), c["triggers"], c["runs"], c["attempts"], c["ledger lines"])
	for _, rule := range check.Rules() {
		fmt.Fprintf(&b, "  %-10s %3d breaches, %3d excused\n", rule, check.Of(r.Verdict.Breaches, rule), check.Of(r.Verdict.Excused, rule))
	}
	for i, f := range r.Verdict.Breaches {
		if i == 60 {
			fmt.Fprintf(&b, "  … and %d more\n", len(r.Verdict.Breaches)-i)
			break
		}
		fmt.Fprintf(&b, "  BREACH %s: %s\n", f.Rule, f.Text)
	}
	if r.Kept != "" {
		fmt.Fprintf(&b, "  evidence: %s\n", r.Kept)
	}
	return b.String()
}

// Markdown is one section of the report.
func (r Result) Markdown() string {
	var b strings.Builder
	o, c := r.Options, r.Verdict.Counts
	verdict := "**every promise kept**"
	if !r.Verdict.OK() {
		verdict = fmt.Sprintf("**%d breaches**", len(r.Verdict.Breaches))
	}
	fmt.Fprintf(&b, "## Seed %d: %s\n\n", o.Seed, verdict)
	fmt.Fprintf(&b, "%s, %s long. %d masters, %d workers with %d slots, registry %s", r.Began.Format("2006-01-02 15:04 UTC"), r.Took.Round(time.Second),
		o.Shape.Masters, o.Shape.Workers, o.Shape.Slots, o.Shape.Registry)
	if o.Shape.Registry == "zookeeper" {
		fmt.Fprintf(&b, " (%d servers)", o.Shape.ZooKeepers)
	}
	fmt.Fprintf(&b, ", PostgreSQL. Session timeout %s, grace %s; a fault every %s on average.\n\n", o.Shape.Session, grace, o.Every)
	b.WriteString("| Work | |\n|---|--:|\n")
	for _, row := range [][2]string{
		{"triggers by REST", fmt.Sprint(c["triggers"])},
		{"– accepted", fmt.Sprint(c["accepted"])},
		{"– never answered (of these ran)", fmt.Sprintf("%d (%d)", c["maybe"], c["maybe that ran"])},
		{"fires of the schedule", fmt.Sprint(c["fires"])},
		{"runs", fmt.Sprint(c["runs"])},
		{"attempts of tasks", fmt.Sprint(c["attempts"])},
		{"lines in the ledger", fmt.Sprint(c["ledger lines"])},
		{"retries", fmt.Sprint(c["retries"])},
		{"runs of the serial workflow", fmt.Sprint(c["serial runs"])},
		{"most at once in the group of 3", fmt.Sprint(c["most in group three"])},
	} {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
	}
	for _, prefix := range []string{"runs ", "attempts "} {
		for _, key := range slices.Sorted(maps.Keys(c)) {
			if strings.HasPrefix(key, prefix) {
				fmt.Fprintf(&b, "| %s | %d |\n", key, c[key])
			}
		}
	}
	r.faultTable(&b)
	b.WriteString("\n| Rule | Breaches | Excused |\n|---|--:|--:|\n")
	for _, rule := range check.Rules() {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", rule, check.Of(r.Verdict.Breaches, rule), check.Of(r.Verdict.Excused, rule))
	}
	r.takeovers(&b)
	list := func(title string, findings []check.Finding) {
		if len(findings) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n<details><summary>%s: %d</summary>\n\n", title, len(findings))
		for _, f := range findings {
			fmt.Fprintf(&b, "- %s: %s", f.Rule, f.Text)
			if f.Reason != "" {
				fmt.Fprintf(&b, " (%s)", f.Reason)
			}
			b.WriteByte('\n')
		}
		b.WriteString("\n</details>\n")
	}
	list("Breaches", r.Verdict.Breaches)
	list("Excused, each with its reason", r.Verdict.Excused)
	return b.String()
}

func (r Result) faultTable(b *strings.Builder) {
	type line struct {
		done, void int
		total, max time.Duration
	}
	byKind := map[string]*line{}
	for _, f := range r.Faults {
		l := byKind[f.Kind]
		if l == nil {
			l = &line{}
			byKind[f.Kind] = l
		}
		if f.Void != "" {
			l.void++
			continue
		}
		took := f.Until.Sub(f.From)
		if f.Effect == check.Died || f.Effect == check.Stopped {
			took -= settle
		}
		l.done++
		l.total += took
		l.max = max(l.max, took)
	}
	b.WriteString("\n| Fault | Done | Void | Mean length | Longest |\n|---|--:|--:|--:|--:|\n")
	sum := line{}
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		l := byKind[kind]
		if kind == "exit" || kind == absent {
			continue
		}
		mean := time.Duration(0)
		if l.done > 0 {
			mean = l.total / time.Duration(l.done)
		}
		fmt.Fprintf(b, "| %s | %d | %d | %.1f s | %.1f s |\n", kind, l.done, l.void, mean.Seconds(), l.max.Seconds())
		sum.done, sum.void = sum.done+l.done, sum.void+l.void
	}
	fmt.Fprintf(b, "| **all** | **%d** | %d | | |\n", sum.done, sum.void)
	for _, kind := range slices.Sorted(maps.Keys(r.Left)) {
		fmt.Fprintf(b, "\nNot done: %s, %s.", kind, r.Left[kind])
	}
	if l := byKind[absent]; l != nil {
		fmt.Fprintf(b, "\nWorkers were %d times seen to be missing in the registry, %.1f s at the longest.\n", l.done, l.max.Seconds())
	}
	if n := r.Exits; len(n) > 0 {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(n)) {
			parts = append(parts, fmt.Sprintf("%s %d times", name, n[name]))
		}
		fmt.Fprintf(b, "\nEnded by themselves and were started again: %s.\n", strings.Join(parts, ", "))
	}
}

func (r Result) takeovers(b *strings.Builder) {
	list := slices.SortedFunc(slices.Values(r.Takeovers), func(a, b Takeover) int { return cmp.Compare(a.Took, b.Took) })
	if len(list) > 0 {
		alone := slices.DeleteFunc(slices.Clone(list), func(t Takeover) bool { return t.Back })
		fmt.Fprintf(b, "\nTake-over of the runs of a killed master, from the kill to the last run, other faults going on: median %.1f s, longest %.1f s of %d",
			list[len(list)/2].Took.Seconds(), list[len(list)-1].Took.Seconds(), len(list))
		if len(alone) > 0 {
			fmt.Fprintf(b, "; of the %d that were over before it came back: median %.1f s, longest %.1f s", len(alone),
				alone[len(alone)/2].Took.Seconds(), alone[len(alone)-1].Took.Seconds())
		}
		b.WriteString(".\n")
	}
	if len(r.Database) > 0 {
		var parts []string
		for _, kind := range slices.Sorted(maps.Keys(r.Database)) {
			parts = append(parts, fmt.Sprintf("%s %d", kind, r.Database[kind]))
		}
		fmt.Fprintf(b, "\nEvents that the cluster wrote: %s.\n", strings.Join(parts, ", "))
	}
}
