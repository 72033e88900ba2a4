package instance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web/dsapi"
)

// dsLog is a part of a log: message holds lineNum lines, a head line among them when it is the first part.
type dsLog struct {
	LineNum int    `json:"lineNum"`
	Message string `json:"message"`
}

// attempt reads the attempt that a call about a log names; in a path with a project it must belong to that one.
func (a api) attempt(r *http.Request, p *dsapi.Params, inProject bool) (*ListedTask, error) {
	id := p.RequiredInt64("taskInstanceId")
	in := int64(0)
	if inProject {
		in = p.Path("project")
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	if inProject {
		if err := a.within(r, in); err != nil {
			return nil, err
		}
	}
	t, err := a.svc.Task(r.Context(), id)
	if err == nil && inProject && t.ProjectCode != in {
		return nil, ErrTaskNotFound.With("id", id)
	}
	return t, err
}

// headLine says where a log is, as clients expect it before the log.
func headLine(t *ListedTask) string {
	return fmt.Sprintf("[LOG-PATH]: %s, [HOST]: %s", t.LogPath, t.Host)
}

// part reads lines skip … skip+limit.
func (a api) part(r *http.Request, p *dsapi.Params, inProject bool) (dsLog, error) {
	skip, limit := p.RequiredInt("skipLineNum"), p.RequiredInt("limit")
	t, err := a.attempt(r, p, inProject)
	if err != nil {
		return dsLog{}, err
	}
	if skip < 0 || limit <= 0 {
		return dsLog{}, dsapi.ErrPaging
	}
	// The head line counts as one of the lines that were handed out, so a client's next skipLineNum is one too many.
	from := int64(max(0, skip-1))
	page, err := a.svc.LogLines(r.Context(), t, from, min(limit, MaxLogLines))
	if err != nil {
		return dsLog{}, err
	}
	lines := page.Lines
	if skip == 0 {
		lines = append([]string{headLine(t)}, lines...)
	}
	if len(lines) == 0 {
		return dsLog{}, nil
	}
	return dsLog{LineNum: len(lines), Message: strings.Join(lines, "\r\n")}, nil
}

func (a api) logDetail(r *http.Request, p *dsapi.Params) (any, error) { return a.part(r, p, false) }

func (a api) logText(r *http.Request, p *dsapi.Params) (any, error) {
	l, err := a.part(r, p, true)
	return l.Message, err
}

// logDownload answers with the file. Nothing of the file is sent before it is known that there is one, so that a refusal
// is an ordinary answer.
func (a api) logDownload(r *http.Request, p *dsapi.Params) (any, error) {
	t, err := a.attempt(r, p, chi.URLParam(r, "project") != "")
	if err != nil {
		return nil, err
	}
	if _, err := a.svc.LogLines(r.Context(), t, 0, 1); err != nil {
		return nil, err
	}
	name := strconv.FormatInt(a.svc.now().UnixMilli(), 10) + ".log"
	return dsapi.Raw(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		w.Header().Set("Cache-Control", "no-store")
		if err := a.copy(r.Context(), w, t); err != nil {
			panic(http.ErrAbortHandler) // half a file must not be taken for a whole one
		}
	}), nil
}

func (a api) copy(ctx context.Context, w io.Writer, t *ListedTask) error {
	if _, err := io.WriteString(w, headLine(t)+"\r\n"); err != nil {
		return err
	}
	return a.svc.LogCopy(ctx, t, w)
}
