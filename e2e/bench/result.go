package main

import (
	"fmt"
	"strings"
	"time"
)

// Sample is one run of one side.
type Sample struct {
	Side  string        `json:"side"` // raw or dorado
	Wall  time.Duration `json:"wall_ns"`
	CPU   time.Duration `json:"cpu_ns"`
	Parts Parts         `json:"cpu_parts_ns,omitempty"`
	Value float64       `json:"value"` // in the workload's unit
	Idle  float64       `json:"idle"`  // of the machine in the second before
	Load  string        `json:"load"`
}

// Result is one line of the report.
type Result struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Size    string   `json:"size"`
	Value   string   `json:"value"`         // ours, the median
	Raw     string   `json:"raw,omitempty"` // the denominator's
	Ratio   spread   `json:"ratio"`         // higher is better, 1 is the bare machine
	CPU     spread   `json:"cpu_ratio"`     // raw CPU time divided by ours
	Bar     string   `json:"bar"`
	Held    bool     `json:"bar_held"`
	Notes   []string `json:"notes,omitempty"`
	Samples []Sample `json:"samples"`
	Each    int      `json:"each,omitempty"` // how many tasks one sample ran: what a part of the CPU time is divided by
	Void    string   `json:"void,omitempty"` // why the run counts for nothing
}

// busyBelow is the share of the machine that must be idle before a run; otherwise the run is marked.
const busyBelow = 0.85

func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-4s %-26s ", r.ID, r.Name)
	if r.Void != "" {
		fmt.Fprintf(&b, "VOID: %s", r.Void)
		return b.String()
	}
	fmt.Fprintf(&b, "%-22s %s", r.Size, r.Value)
	if r.Raw != "" {
		fmt.Fprintf(&b, "  raw %s", r.Raw)
	}
	if r.Ratio != (spread{}) {
		fmt.Fprintf(&b, "  ratio %s", r.Ratio)
	}
	if r.CPU != (spread{}) {
		fmt.Fprintf(&b, "  cpu %s", r.CPU)
	}
	if r.Bar != "" {
		verdict := "held"
		if !r.Held {
			verdict = "NOT held"
		}
		fmt.Fprintf(&b, "  [bar %s: %s]", r.Bar, verdict)
	}
	if n := r.busy(); n > 0 {
		fmt.Fprintf(&b, "  (machine busy before %d of %d runs)", n, len(r.Samples))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\n       %s", note)
	}
	return b.String()
}

func (r Result) busy() int {
	n := 0
	for _, s := range r.Samples {
		if s.Idle < busyBelow {
			n++
		}
	}
	return n
}

// pair is one raw run and one of ours.
type pair struct{ raw, ours Sample }

// side returns the values of one side.
func values(pairs []pair, of func(pair) float64) []float64 {
	out := make([]float64, 0, len(pairs))
	for _, p := range pairs {
		out = append(out, of(p))
	}
	return out
}

// summarise fills the ratios: values are rates (more is better) or times (less is better).
func (r *Result) summarise(pairs []pair, rate bool) {
	r.Ratio = spreadOf(values(pairs, func(p pair) float64 {
		if rate {
			return p.ours.Value / p.raw.Value
		}
		return p.raw.Value / p.ours.Value
	}))
	var cpu []float64
	for _, p := range pairs {
		if p.ours.CPU > 0 && p.raw.CPU > 0 {
			cpu = append(cpu, float64(p.raw.CPU)/float64(p.ours.CPU))
		}
		r.Samples = append(r.Samples, p.raw, p.ours)
	}
	r.CPU = spreadOf(cpu)
	if r.Each > 0 {
		of := func(side func(pair) Sample) string {
			var all []Parts
			for _, p := range pairs {
				all = append(all, side(p).Parts)
			}
			return medianParts(all).each(r.Each)
		}
		r.note("CPU µs a task: %s; raw: %s", of(func(p pair) Sample { return p.ours }), of(func(p pair) Sample { return p.raw }))
	}
}

func (r *Result) bar(text string, held bool) { r.Bar, r.Held = text, held }

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}
