package instance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
	"dorado/views/components"
	view "dorado/views/instance"
)

func (p pages) log(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, t, err := p.attempt(r)
	if err != nil {
		return nil, err
	}
	all, err := p.Attempts(ctx, t)
	if err != nil {
		return nil, err
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("attempt")); err == nil && n >= 1 && n <= len(all) && all[n-1].ID != t.ID {
		return web.Redirect(taskAddress(owner.Code, all[n-1].ID) + "/log"), nil
	}
	here := taskAddress(owner.Code, t.ID)
	v := view.LogPage{
		Shell: p.frame.InProject(r, ref(owner), i18n.T(ctx, "instance.log"), runCrumbs(ctx, owner, t, components.Crumb{Label: t.Name, URL: here})...),
		Title: t.Name, State: string(t.State), Summary: summary(ctx, t), TaskURL: here,
	}
	for k := range all {
		v.Attempts = append(v.Attempts, components.Tab{
			Label: attemptLabel(ctx, &all[k]) + " · " + components.StateLabel(ctx, string(all[k].State)), URL: taskAddress(owner.Code, all[k].ID) + "/log",
			Current: all[k].ID == t.ID,
		})
	}
	if t.LogPath == "" {
		v.NoLog = i18n.T(ctx, ErrNoLog.Key, "name", t.Name)
	} else {
		v.Log = p.logView(r, t)
		v.Shell.Scripts = []string{"js/elements/log-view.js"}
	}
	return web.Page(view.Log(v)), nil
}

func summary(ctx context.Context, t *ListedTask) string {
	parts := []string{attemptLabel(ctx, &t.Task)}
	if t.Host != "" {
		parts = append(parts, t.Host)
	}
	if t.StartTime != nil {
		parts = append(parts, i18n.DateTime(ctx, *t.StartTime))
	}
	if t.EndTime != nil && t.StartTime != nil {
		parts = append(parts, i18n.Duration(ctx, t.EndTime.Sub(*t.StartTime)))
	}
	return strings.Join(parts, " · ")
}

// plainPage is how many lines a browser without scripts gets at once.
const plainPage = 5000

// logView describes the log of an attempt, with the lines for a browser without scripts: the last ones, or those from
// ?from on.
func (p pages) logView(r *http.Request, t *ListedTask) view.LogView {
	ctx := r.Context()
	src := taskAddress(t.ProjectCode, t.ID) + "/log"
	v := view.LogView{Src: src, URL: src, RawURL: src + "/raw", Label: i18n.T(ctx, "instance.log_of", "name", t.Name), OpenAt: "end"}
	if t.State == flow.TaskFailure || t.State == flow.TaskLost {
		v.OpenAt = "error"
	}
	from := int64(-plainPage)
	if n, err := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64); err == nil && n >= 0 {
		from = n
	}
	ctx, cancel := context.WithTimeout(ctx, pageWait)
	defer cancel()
	page, err := p.LogLines(ctx, t, from, plainPage)
	if err != nil {
		v.Error = web.Message(ctx, err)
		return v
	}
	v.Lines = plainLines(page.Lines)
	if page.Stored {
		v.Stored = i18n.T(ctx, "log.stored", "worker", t.Host)
	}
	end := page.From + int64(len(page.Lines))
	if len(page.Lines) > 0 {
		v.Shown = i18n.T(ctx, "instance.log_shown", "from", i18n.Number(ctx, page.From+1), "to", i18n.Number(ctx, end), "total", i18n.Number(ctx, max(page.Total, end)))
	}
	if page.From > 0 {
		v.OlderURL = src + "?from=" + strconv.FormatInt(max(0, page.From-plainPage), 10)
	}
	if end < page.Total {
		v.NewerURL = src + "?from=" + strconv.FormatInt(end, 10)
	}
	return v
}

// pageWait is how long a page waits for a worker to send lines: the page is of use without them.
const pageWait = 3 * time.Second

// plainLines takes the escapes of terminals out of lines.
func plainLines(lines []string) []string {
	out := make([]string, len(lines))
	for k, line := range lines {
		out[k] = plain(line)
	}
	return out
}

// plain takes escape sequences and control characters out of a line.
func plain(line string) string {
	if !strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return line
	}
	var b strings.Builder
	for k := 0; k < len(line); {
		c := line[k]
		k++
		switch {
		case c == 0x1b && k < len(line) && line[k] == '[': // CSI: parameters, then one letter
			for k++; k < len(line) && (line[k] < '@' || line[k] > '~'); k++ {
			}
			k = min(k+1, len(line))
		case c == 0x1b && k < len(line) && line[k] == ']': // OSC: until BEL or ESC \
			for k++; k < len(line) && line[k] != 0x07 && line[k] != 0x1b; k++ {
			}
			k = min(k+1, len(line))
		case c == '\t' || c >= ' ' && c != 0x7f:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// firstError is the first line of a failed attempt's log that looks like an error; empty when there is none or the worker
// does not answer soon.
func (p pages) firstError(ctx context.Context, a *Task) string {
	if a.LogPath == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, errorWait)
	defer cancel()
	hits, _, err := p.LogSearch(ctx, &ListedTask{Task: *a}, errorPattern, true, false, 0, 1)
	if err != nil || len(hits) == 0 {
		return ""
	}
	return clip(strings.TrimSpace(plain(hits[0].Text)), errorWidth)
}

const (
	errorPattern = `\b(error|fatal|severe|critical|exception|traceback|failed|not found|denied|panic)\b`
	errorWait    = time.Second
	errorWidth   = 300 // characters
)

func clip(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "…"
}

// number reads a whole number of the query; anything else is the fallback.
func number(r *http.Request, name string, fallback int64) int64 {
	n, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	if err != nil {
		return fallback
	}
	return n
}

// logLinesJSON, logSearchJSON and logPieceJSON are the contract with static/js/elements/log-source.js.
type logLinesJSON struct {
	From  int64    `json:"from"`
	Lines []string `json:"lines"`
	Total *int64   `json:"total"`
	End   bool     `json:"end"`
	Size  int64    `json:"size"`
	// Stored says that the lines come from the storage.
	Stored bool `json:"stored,omitempty"`
}

type logSearchJSON struct {
	Hits  []logHitJSON `json:"hits"`
	Total *int         `json:"total"`
	More  bool         `json:"more"`
}

type logHitJSON struct {
	Line int64  `json:"line"`
	Text string `json:"text"`
}

type logPieceJSON struct {
	From    int64    `json:"from"`
	Lines   []string `json:"lines"`
	Partial bool     `json:"partial"`
}

func (p pages) logLines(r *http.Request) (web.Response, error) {
	_, t, err := p.attempt(r)
	if err != nil {
		return nil, err
	}
	limit := min(max(number(r, "limit", 1000), 1), MaxLogLines)
	page, err := p.LogLines(r.Context(), t, number(r, "from", 0), int(limit))
	if err != nil {
		return nil, err
	}
	out := logLinesJSON{From: page.From, Lines: present(page.Lines), End: page.End, Size: page.Size, Stored: page.Stored}
	if page.Total >= 0 {
		out.Total = &page.Total
	}
	return web.JSON(http.StatusOK, out), nil
}

func present(lines []string) []string {
	if lines == nil {
		return []string{}
	}
	return lines
}

func (p pages) logSearch(r *http.Request) (web.Response, error) {
	_, t, err := p.attempt(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	out := logSearchJSON{Hits: []logHitJSON{}}
	if q.Get("q") == "" {
		zero := 0
		out.Total = &zero
		return web.JSON(http.StatusOK, out), nil
	}
	hits, more, err := p.LogSearch(r.Context(), t, clip(clean(q.Get("q")), 1000), q.Get("regex") == "1", q.Get("case") == "1",
		max(0, number(r, "from", 0)), int(min(max(number(r, "limit", 1000), 1), 10_000)))
	if err != nil {
		return nil, err
	}
	for _, h := range hits {
		out.Hits = append(out.Hits, logHitJSON(h))
	}
	if out.More = more; !more {
		n := len(hits)
		out.Total = &n
	}
	return web.JSON(http.StatusOK, out), nil
}

// logStream follows a log. A browser that comes back says by the id of the last event where it was.
func (p pages) logStream(r *http.Request) (web.Response, error) {
	_, t, err := p.attempt(r)
	if err != nil {
		return nil, err
	}
	from := number(r, "from", 0)
	return web.Events(func(ctx context.Context, out *web.Stream) error {
		if last, err := strconv.ParseInt(out.LastID(), 10, 64); err == nil && last > from {
			from = last
		}
		err := p.LogFollow(ctx, t, from, func(piece *doradov1.LogReply) error {
			if len(piece.GetLines()) == 0 {
				return nil
			}
			next := piece.GetFrom() + int64(len(piece.GetLines()))
			if piece.GetPartial() {
				next-- // it comes again, longer
			}
			data, err := json.Marshal(logPieceJSON{From: piece.GetFrom(), Lines: piece.GetLines(), Partial: piece.GetPartial()})
			if err != nil {
				return err
			}
			return out.Send(strconv.FormatInt(next, 10), "lines", data)
		})
		return p.endStream(ctx, out, err)
	}), nil
}

// endStream tells the browser why a log stream ends.
func (p pages) endStream(ctx context.Context, out *web.Stream, err error) error {
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // the reader has left; nobody is to be told
	case err == nil:
		return out.Send("", "end", []byte("{}"))
	case errors.Is(err, ErrNoLog):
		return nil // it has not begun: the browser asks again
	case fault.From(err) == nil:
		return err
	}
	data, e := json.Marshal(map[string]string{"message": web.Message(ctx, err)})
	if e != nil {
		return e
	}
	return out.Send("", "gone", data)
}

func (p pages) logRaw(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	_, t, err := p.attempt(r)
	if err != nil {
		return nil, err
	}
	return web.Download(fileName(t), func(w io.Writer) error { return p.LogCopy(ctx, t, w) }), nil
}

// fileName is the name of a downloaded log: nothing in it can be a path.
func fileName(t *ListedTask) string {
	return fmt.Sprintf("%s-%d-%d.log", safeName(t.Name), t.WorkflowInstanceID, t.ID)
}

func safeName(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || strings.ContainsRune(`/\:*?"<>|`, c) {
			return '_'
		}
		return c
	}, s)
	return clip(strings.TrimLeft(s, "."), 100)
}

// sectionsShown and sectionLines bound the page with the logs of all tasks; the download has everything.
const (
	sectionsShown = 100
	sectionLines  = 200
)

// logs shows the logs of all tasks of a run, those that failed open.
func (p pages) logs(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	d, err := p.Detail(ctx, owner.Code, id)
	if err != nil {
		return nil, err
	}
	here := address(owner.Code, id)
	v := view.LogsPage{
		Shell: p.frame.InProject(r, ref(owner), i18n.T(ctx, "instance.tab.logs"), crumb(ctx, owner.Code), components.Crumb{Label: d.Name, URL: here}),
		Name:  d.Name, State: string(d.State), RawURL: here + "/logs/raw",
	}
	list := d.current()
	if len(list) > sectionsShown {
		v.Note = i18n.T(ctx, "instance.logs_more", "count", len(list)-sectionsShown)
		list = list[:sectionsShown]
	}
	wait, cancel := context.WithTimeout(ctx, pageWait)
	defer cancel()
	for _, a := range list {
		s := view.LogSection{
			ID: strconv.FormatInt(a.ID, 10), Name: a.Name, Label: attemptLabel(ctx, a), State: string(a.State), URL: taskAddress(owner.Code, a.ID) + "/log",
			Open: a.State == flow.TaskFailure || a.State == flow.TaskLost || len(list) == 1,
		}
		if a.StartTime != nil {
			s.Took = i18n.Duration(ctx, a.Duration(p.now()))
		}
		page, err := p.LogLines(wait, &ListedTask{Task: *a}, -sectionLines, sectionLines)
		if err != nil {
			s.Problem = web.Message(ctx, err)
		}
		s.Lines, s.Before = plainLines(page.Lines), max(0, page.From)
		v.Sections = append(v.Sections, s)
	}
	return web.Page(view.Logs(v)), nil
}

// current lists the attempts that count and have reached a worker, in topological order.
func (d *Detail) current() []*Task {
	var out []*Task
	for n := range d.Nodes {
		if a := d.Nodes[n].Current; a != nil && a.LogPath != "" {
			out = append(out, a)
		}
	}
	return out
}

// logsRaw is one file with the logs of all tasks of a run, one after the other under a headline each.
func (p pages) logsRaw(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	d, err := p.Detail(ctx, owner.Code, id)
	if err != nil {
		return nil, err
	}
	return web.Download(safeName(d.Name)+".log", func(w io.Writer) error {
		out := bufio.NewWriter(w)
		for _, a := range d.current() {
			fmt.Fprintf(out, "===== %s · %s · %s · %s =====\n", oneLine(a.Name), attemptLabel(ctx, a), a.State, a.Host)
			if err := p.LogCopy(ctx, &ListedTask{Task: *a}, out); err != nil {
				if fault.From(err) == nil {
					return err
				}
				fmt.Fprintf(out, "%s\n", web.Message(ctx, err)) // the other logs are there
			}
			fmt.Fprint(out, "\n")
		}
		return out.Flush()
	}), nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
