package monitor

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/cluster"
	"dorado/views/components"
	view "dorado/views/monitor"
)

func (p pages) database(r *http.Request) (shown, error) {
	ctx := r.Context()
	d, err := p.Database(ctx)
	if err != nil {
		return shown{}, err
	}
	v := view.DatabasePage{Frame: p.shell(r, DatabasePath, "monitor.db."), StatisticsURL: StatisticsPath, Name: d.Name, Version: d.Version, Healthy: d.Healthy}
	if v.Version == "" {
		v.Version = d.Type
	}
	switch {
	case !d.Healthy && p.Access.Can(ctx, Manage): // the message may name hosts and accounts
		v.Notes = append(v.Notes, view.Note{Kind: components.ToastError, Text: i18n.T(ctx, "monitor.db.down", "reason", d.Trouble)})
	case !d.Healthy:
		v.Notes = append(v.Notes, view.Note{Kind: components.ToastError, Text: i18n.T(ctx, "monitor.db.down_short")})
	case d.Trouble != "":
		v.Notes = append(v.Notes, view.Note{Kind: components.ToastWarning, Text: i18n.T(ctx, "monitor.db.partly")})
	}
	if !p.Access.Can(ctx, Manage) && d.Type == "SQLITE" {
		v.Name = "" // where the file lies is nobody's business
	}
	known := func(n int64) string {
		if n < 0 {
			return "—"
		}
		return i18n.Number(ctx, n)
	}
	label := func(key string) string { return i18n.T(ctx, "monitor.db."+key) }
	v.Figures = []view.Figure{
		{Label: label("latency"), Value: short(d.Latency.Round(10 * time.Microsecond)), Bad: d.Latency > SlowCommit},
		{Label: label("connections"), Value: known(d.Connections), Small: i18n.T(ctx, "monitor.of_max", "max", known(d.MaxConnections)), Bad: d.MaxConnections > 0 && d.Connections*10 > d.MaxConnections*9},
		{Label: label("active"), Value: known(d.Active)},
		{Label: label("size"), Value: dash(Bytes(d.Size))},
		{Label: label("slow"), Value: known(int64(d.Saves.Slow)), Small: i18n.T(ctx, "monitor.db.slow_of", "limit", i18n.Duration(ctx, SlowCommit)), Bad: d.Saves.Slow*100 > d.Saves.Count},
	}
	v.Facts = databaseFacts(ctx, &d, label, known)
	v.Pool = []components.Datum{
		{Label: label("pool_open"), Value: i18n.T(ctx, "monitor.of", "used", d.Pool.Open, "size", d.Pool.Max)},
		{Label: label("pool_used"), Value: known(int64(d.Pool.InUse))},
		{Label: label("pool_waits"), Value: known(d.Pool.Waits)},
		{Label: label("pool_waited"), Value: i18n.Duration(ctx, d.Pool.Waited)},
	}
	v.Saves = []components.Datum{{Label: label("saves_count"), Value: known(int64(d.Saves.Count))}}
	if d.Saves.Count > 0 {
		v.Saves = append(v.Saves,
			components.Datum{Label: label("saves_median"), Value: i18n.T(ctx, "monitor.below", "value", short(d.Saves.Median))},
			components.Datum{Label: label("saves_worst"), Value: i18n.T(ctx, "monitor.below", "value", short(d.Saves.Worst))},
		)
	}
	for _, t := range d.Tables {
		row := view.Table{Name: t.Name, Size: Bytes(t.Bytes), Rows: known(t.Rows)}
		if most := d.Tables[0].Bytes; most > 0 {
			row.Share = float64(t.Bytes) / float64(most)
		}
		v.Tables = append(v.Tables, row)
	}
	return shown{view.Database(v), v.Notes, view.DatabaseBody(v)}, nil
}

// short writes a duration below a millisecond too.
func short(d time.Duration) string { return d.String() }

func dash(text string) string {
	if text == "" {
		return "—"
	}
	return text
}

func databaseFacts(ctx context.Context, d *Database, label func(string) string, known func(int64) string) []components.Datum {
	out := []components.Datum{
		{Label: label("durability"), Value: d.Durability},
		{Label: label("wal"), Value: dash(Bytes(d.WAL))},
	}
	if d.Type == "SQLITE" {
		return append(out, components.Datum{Label: label("free"), Value: dash(Bytes(d.Free))})
	}
	role := label("primary")
	if d.Replica {
		role = label("replica")
	}
	lag := label("no_replica")
	if d.Lag >= 0 {
		lag = i18n.Duration(ctx, d.Lag)
	}
	hit := "—"
	if d.CacheHit >= 0 {
		hit = view.Percent(d.CacheHit)
	}
	oldest := "—"
	if d.OldestTx >= 0 {
		oldest = i18n.Duration(ctx, d.OldestTx)
	}
	return append(out,
		components.Datum{Label: label("most"), Value: known(d.MostConnections)},
		components.Datum{Label: label("role"), Value: role},
		components.Datum{Label: label("lag"), Value: lag},
		components.Datum{Label: label("commits"), Value: known(d.Commits)},
		components.Datum{Label: label("rollbacks"), Value: known(d.Rollbacks)},
		components.Datum{Label: label("deadlocks"), Value: known(d.Deadlocks)},
		components.Datum{Label: label("cache"), Value: hit},
		components.Datum{Label: label("oldest"), Value: oldest},
	)
}

// withParents adds the folders that a registry does not keep as nodes of their own, and sorts by path.
func withParents(entries []cluster.Entry) []cluster.Entry {
	known := make(map[string]bool, len(entries))
	for _, e := range entries {
		known[e.Path] = true
	}
	out := slices.Clone(entries)
	for _, e := range entries {
		for at := strings.LastIndexByte(e.Path, '/'); at > 0; at = strings.LastIndexByte(e.Path[:at], '/') {
			if path := e.Path[:at]; !known[path] {
				known[path] = true
				out = append(out, cluster.Entry{Path: path})
			}
		}
	}
	// A folder stands before what is in it, whatever other names begin like its own.
	slices.SortFunc(out, func(a, b cluster.Entry) int {
		return slices.Compare(strings.Split(a.Path, "/"), strings.Split(b.Path, "/"))
	})
	return out
}

// entriesShown bounds one page of the tree.
const entriesShown = 2000

func (p pages) registry(r *http.Request) (shown, error) {
	ctx := r.Context()
	v := view.RegistryPage{Frame: p.shell(r, RegistryPath, "monitor.registry."), URL: RegistryPath, Search: strings.TrimSpace(r.URL.Query().Get("q")), Now: p.now()}
	v.Text = i18n.T(ctx, "monitor.registry.text_of", "name", p.Registry.Name())
	entries, err := p.Tree(ctx)
	if errors.Is(err, ErrRegistryAway) {
		v.Notes = append(v.Notes, view.Note{Kind: components.ToastError, Text: web.Message(ctx, err)})
	} else if err != nil {
		return shown{}, err
	}
	chosen := r.URL.Query().Get("path")
	if chosen != "" {
		v.Chosen = &view.Chosen{Path: chosen, Gone: true}
	}
	for _, e := range withParents(entries) {
		if e.Path == chosen {
			c := view.Chosen{Path: e.Path}
			c.Value, c.Clipped = Shown(e.Path, e.Value)
			kind := i18n.T(ctx, "monitor.registry.lasting")
			if e.Ephemeral {
				kind = i18n.T(ctx, "monitor.registry.ephemeral")
			}
			c.Facts = []components.Datum{
				{Label: i18n.T(ctx, "monitor.registry.kind"), Value: kind},
				{Label: i18n.T(ctx, "monitor.registry.owner"), Value: e.Owner, Mono: true},
				{Label: i18n.T(ctx, "monitor.registry.created"), Body: components.Time(components.TimeProps{At: e.Created})},
				{Label: i18n.T(ctx, "monitor.registry.updated"), Body: components.Time(components.TimeProps{At: e.Updated})},
				{Label: i18n.T(ctx, "monitor.registry.bytes"), Value: strconv.Itoa(len(e.Value))},
			}
			v.Chosen = &c
		}
		if v.Search != "" && !strings.Contains(strings.ToLower(e.Path), strings.ToLower(v.Search)) {
			continue
		}
		v.Total++
		if len(v.Entries) >= entriesShown {
			continue
		}
		parts := strings.Split(strings.Trim(e.Path, "/"), "/")
		row := view.Entry{
			Path: e.Path, Name: parts[len(parts)-1], Depth: len(parts) - 1, Current: e.Path == chosen, Ephemeral: e.Ephemeral, Owner: e.Owner, Updated: e.Updated,
			URL: withQuery(RegistryPath, "q", v.Search, "path", e.Path),
		}
		if v.Search != "" {
			row.Name, row.Depth = e.Path, 0
		}
		v.Entries = append(v.Entries, row)
	}
	return shown{view.Registry(v), v.Notes, view.RegistryBody(v)}, nil
}
