package layout

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"
)

// Label is what the picture says about one node.
type Label struct {
	Name   string
	Detail string // second line: type and, in a run, state and duration
	State  string // becomes data-state, for the colours
	Href   string // optional link of the card
}

// Drawing is a placed graph. All slices are in the order of Graph.Nodes.
type Drawing struct {
	Graph  Graph
	Points []Point
	Labels []Label
	Title  string // accessible name of the picture
	// EdgeState becomes data-state of an edge, given the indices of its ends; nil for none.
	EdgeState func(from, to int) string
	// Thumbnail leaves out all text and links.
	Thumbnail bool
}

const margin = 24

// SVG writes the drawing. It uses CSS classes only (dag-svg, dag-svg-edge, dag-svg-node, dag-svg-name, dag-svg-detail,
// dag-svg-bar) and data-state, so that colours follow the theme of the page. It returns the error of w.
func SVG(w io.Writer, d Drawing) error {
	size := func(i int) Size {
		s := d.Graph.Nodes[i]
		if s.W <= 0 {
			s.W = NodeWidth
		}
		if s.H <= 0 {
			s.H = NodeHeight
		}
		return s
	}
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i, p := range d.Points {
		s := size(i)
		x0, y0, x1, y1 = min(x0, p.X), min(y0, p.Y), max(x1, p.X+s.W), max(y1, p.Y+s.H)
	}
	if len(d.Points) == 0 {
		x0, y0, x1, y1 = 0, 0, NodeWidth, NodeHeight
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg class="dag-svg" xmlns="http://www.w3.org/2000/svg" role="img" viewBox="%g %g %g %g" width="%g" height="%g">`,
		x0-margin, y0-margin, x1-x0+2*margin, y1-y0+2*margin, x1-x0+2*margin, y1-y0+2*margin)
	if d.Title != "" {
		fmt.Fprintf(out, "<title>%s</title>", escape(d.Title))
	}
	for _, e := range cleanEdges(len(d.Points), d.Graph.Edges) {
		a, b := d.Points[e[0]], d.Points[e[1]]
		sa, sb := size(e[0]), size(e[1])
		ax, ay, bx, by := a.X+sa.W, a.Y+sa.H/2, b.X, b.Y+sb.H/2
		bend := max(32, math.Abs(bx-ax)/2)
		state := ""
		if d.EdgeState != nil {
			state = attribute("data-state", d.EdgeState(e[0], e[1]))
		}
		fmt.Fprintf(out, `<path class="dag-svg-edge"%s d="M%g %gC%g %g %g %g %g %gm-7 -4l7 4l-7 4"/>`,
			state, ax, ay, ax+bend, ay, bx-bend, by, bx, by)
	}
	for i, p := range d.Points {
		var l Label
		if i < len(d.Labels) {
			l = d.Labels[i]
		}
		d.node(out, p, size(i), l)
	}
	fmt.Fprint(out, "</svg>")
	return out.Flush()
}

func (d Drawing) node(out *bufio.Writer, p Point, s Size, l Label) {
	link := l.Href != "" && !d.Thumbnail
	if link {
		fmt.Fprintf(out, `<a href="%s">`, escape(l.Href))
	}
	fmt.Fprintf(out, `<g class="dag-svg-node"%s>`, attribute("data-state", l.State))
	if l.Name != "" && !d.Thumbnail {
		fmt.Fprintf(out, "<title>%s</title>", escape(strings.TrimSuffix(l.Name+", "+l.Detail, ", ")))
	}
	fmt.Fprintf(out, `<rect x="%g" y="%g" width="%g" height="%g" rx="8"/>`, p.X, p.Y, s.W, s.H)
	fmt.Fprintf(out, `<rect class="dag-svg-bar" x="%g" y="%g" width="4" height="%g" rx="2"/>`, p.X, p.Y+8, max(0, s.H-16))
	if !d.Thumbnail {
		fmt.Fprintf(out, `<text class="dag-svg-name" x="%g" y="%g">%s</text>`, p.X+14, p.Y+s.H/2-4, escape(cut(l.Name, s.W-28, 7.2)))
		fmt.Fprintf(out, `<text class="dag-svg-detail" x="%g" y="%g">%s</text>`, p.X+14, p.Y+s.H/2+13, escape(cut(l.Detail, s.W-28, 6.2)))
	}
	fmt.Fprint(out, "</g>")
	if link {
		fmt.Fprint(out, "</a>")
	}
}

// attribute writes an attribute with the blank before it, nothing for an empty value.
func attribute(name, value string) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf(` %s="%s"`, name, escape(value))
}

// cut shortens text to about width pixels, counting a wide East Asian character as two latin ones.
func cut(text string, width, latin float64) string {
	used := 0.0
	for i, r := range text {
		w := latin
		if unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) || r >= 0xFF00 && r <= 0xFF60 {
			w = 2 * latin
		}
		if used += w; used > width {
			return strings.TrimRightFunc(text[:i], unicode.IsSpace) + "…"
		}
	}
	return text
}

func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}
