package cluster

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"
)

// Encode returns the value of a node.
func Encode(h *Heartbeat) string {
	if !finite(h) {
		c := *h
		for _, f := range figures(&c) {
			if math.IsNaN(*f) || math.IsInf(*f, 0) {
				*f = 0
			}
		}
		h = &c
	}
	raw, err := json.Marshal(h)
	if err != nil {
		return "{}" // cannot be: numbers are finite, all else is text
	}
	return string(raw)
}

func figures(h *Heartbeat) []*float64 {
	return []*float64{
		&h.JVMCPUUsage, &h.CPUUsage, &h.JVMMemoryUsage, &h.MemoryUsage, &h.DiskUsage, &h.ThreadPoolUsage, &h.LoadAverage,
	}
}

func finite(h *Heartbeat) bool {
	for _, f := range figures(h) {
		if math.IsNaN(*f) || math.IsInf(*f, 0) {
			return false
		}
	}
	return true
}

// errNoIncarnation is what the heartbeat of a Java node says to us.
var errNoIncarnation = errors.New("the heartbeat names no incarnation: it is not one of this program")

// Decode reads the value of a node.
func Decode(value string) (Heartbeat, error) {
	var h Heartbeat
	if err := json.Unmarshal([]byte(value), &h); err != nil {
		return Heartbeat{}, err
	}
	if h.Incarnation == "" {
		return Heartbeat{}, errNoIncarnation
	}
	return h, nil
}

// maxShown bounds what is kept of a value that is no heartbeat, in bytes.
const maxShown = 120

// NodeOf makes a node of what the tree says at path, be it a heartbeat or garbage.
func NodeOf(kind Kind, path, value string, created, updated time.Time) Node {
	n := Node{
		Kind: kind, Address: path[strings.LastIndexByte(path, '/')+1:], Path: path,
		Created: created.UTC(), Updated: updated.UTC(),
	}
	h, err := Decode(value)
	if err != nil {
		shown := value
		if len(shown) > maxShown {
			shown = shown[:maxShown] + "…"
		}
		n.Garbage = strings.ToValidUTF8(err.Error()+": "+shown, "\uFFFD")
		return n
	}
	n.Heartbeat = h
	return n
}

// When a heartbeat is written again (engine.md 9.3): what it says at once, figures that moved a little later, and one
// that says the same after a while, as proof.
const (
	// BeatInterval is how often a node is asked for its heartbeat.
	BeatInterval  = time.Second
	figuresEvery  = 3 * time.Second
	writeAtLatest = 10 * time.Second
	moved         = 0.1
)

// Pace decides when a heartbeat is written. Not safe for concurrent use.
type Pace struct {
	last      Heartbeat
	substance string
	at        time.Time
}

// Due says whether next should be written now, after what was written last.
func (p *Pace) Due(now time.Time, next *Heartbeat) bool {
	age := now.Sub(p.at)
	return p.at.IsZero() || age >= writeAtLatest || substance(next) != p.substance ||
		age >= figuresEvery && figuresMoved(&p.last, next)
}

// Wrote notes that h was written.
func (p *Pace) Wrote(now time.Time, h *Heartbeat) {
	p.last, p.substance, p.at = *h, substance(h), now
}

// substance is all of a heartbeat that others act on at once.
func substance(h *Heartbeat) string {
	c := *h
	c.ReportTime, c.Running, c.Waiting = 0, 0, 0
	for _, f := range figures(&c) {
		*f = 0
	}
	return Encode(&c)
}

func figuresMoved(a, b *Heartbeat) bool {
	if a.Running != b.Running || a.Waiting != b.Waiting {
		return true
	}
	was, is := figures(a), figures(b)
	for i := range was {
		if math.Abs(*was[i]-*is[i]) >= moved {
			return true
		}
	}
	return false
}

// SameNodes says whether two lists tell the same.
func SameNodes(a, b []Node) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := &a[i], &b[i]
		if x.Path != y.Path || !x.Created.Equal(y.Created) || !x.Updated.Equal(y.Updated) || x.Garbage != y.Garbage ||
			Encode(&x.Heartbeat) != Encode(&y.Heartbeat) {
			return false
		}
	}
	return true
}
