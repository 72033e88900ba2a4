package layout

// Request is the JSON body of the layout endpoint. Ids are task codes; edges are pairs of ids.
type Request struct {
	Nodes []struct {
		ID int64   `json:"id"`
		W  float64 `json:"w"`
		H  float64 `json:"h"`
	} `json:"nodes"`
	Edges     [][2]int64 `json:"edges"`
	Direction Direction  `json:"direction"`
	Pinned    []Position `json:"pinned"`
}

// Position is one node with a place, in a request or an answer.
type Position struct {
	ID int64   `json:"id"`
	X  float64 `json:"x"`
	Y  float64 `json:"y"`
}

// Response is the JSON answer of the layout endpoint.
type Response struct {
	Positions []Position `json:"positions"`
}

// Arrange answers a layout request.
func Arrange(req Request) Response {
	at := make(map[int64]int, len(req.Nodes))
	g := Graph{Nodes: make([]Size, len(req.Nodes)), Pinned: make(map[int]Point, len(req.Pinned))}
	for i, n := range req.Nodes {
		at[n.ID] = i
		g.Nodes[i] = Size{W: n.W, H: n.H}
	}
	for _, e := range req.Edges {
		a, okA := at[e[0]]
		b, okB := at[e[1]]
		if okA && okB {
			g.Edges = append(g.Edges, [2]int{a, b})
		}
	}
	for _, p := range req.Pinned {
		if i, ok := at[p.ID]; ok {
			g.Pinned[i] = Point{X: p.X, Y: p.Y}
		}
	}
	res := Response{Positions: make([]Position, len(req.Nodes))}
	for i, p := range Layout(g, Options{Direction: req.Direction}) {
		res.Positions[i] = Position{ID: req.Nodes[i].ID, X: p.X, Y: p.Y}
	}
	return res
}
