package monitor

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Spark is a small curve of one figure over time.
type Spark struct {
	Label  string // "CPU"
	Value  string // what it is now, in words: "12 %"
	Words  string // the curve in words, for those who do not see it
	Points []Point
	From   time.Time
	To     time.Time
	Gap    time.Duration // points further apart are not joined: there was no node
	Max    float64       // at the top; 0 = the largest value
	Color  string        // name of a state family: "running", "success", …
}

// Point is one value.
type Point struct {
	At time.Time
	V  float64
}

// The picture of a curve.
const (
	sparkWidth  = 240
	sparkHeight = 36
)

func (s Spark) top() float64 {
	top := s.Max
	if top <= 0 {
		for _, p := range s.Points {
			top = max(top, p.V)
		}
	}
	if top <= 0 {
		return 1
	}
	return top
}

func (s Spark) x(at time.Time) float64 {
	span := s.To.Sub(s.From)
	if span <= 0 {
		return 0
	}
	return sparkWidth * min(1, max(0, float64(at.Sub(s.From))/float64(span)))
}

func (s Spark) y(v float64) float64 {
	return 2 + (sparkHeight-4)*(1-min(1, max(0, v/s.top())))
}

// runs are the stretches without a gap.
func (s Spark) runs() [][]Point {
	var out [][]Point
	for i, p := range s.Points {
		if math.IsNaN(p.V) || math.IsInf(p.V, 0) {
			continue
		}
		if len(out) == 0 || i > 0 && s.Gap > 0 && p.At.Sub(s.Points[i-1].At) > s.Gap {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], p)
	}
	return out
}

// line is the curve as a path; a single point is a short dash.
func (s Spark) line() string {
	var b strings.Builder
	for _, run := range s.runs() {
		for i, p := range run {
			b.WriteString(map[bool]string{true: "M", false: "L"}[i == 0])
			b.WriteString(number(s.x(p.At)) + " " + number(s.y(p.V)))
		}
		if len(run) == 1 {
			b.WriteString("h2")
		}
	}
	return b.String()
}

// area is what lies under the curve.
func (s Spark) area() string {
	var b strings.Builder
	for _, run := range s.runs() {
		if len(run) < 2 {
			continue
		}
		b.WriteString("M" + number(s.x(run[0].At)) + " " + strconv.Itoa(sparkHeight))
		for _, p := range run {
			b.WriteString("L" + number(s.x(p.At)) + " " + number(s.y(p.V)))
		}
		b.WriteString("L" + number(s.x(run[len(run)-1].At)) + " " + strconv.Itoa(sparkHeight) + "Z")
	}
	return b.String()
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

// share is a bar's width of 100.
func share(v float64) string { return number(100 * min(1, max(0, v))) }
