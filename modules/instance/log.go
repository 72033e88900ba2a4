package instance

import (
	"context"
	"fmt"
	"io"

	"dorado/modules/rpc/doradov1"
)

// LogPage is a run of lines of a log.
type LogPage struct {
	From  int64 // number of the first line, from 0
	Lines []string
	Total int64 // lines known so far, -1 when unknown
	Size  int64 // bytes
	// Stored says that the lines come from the storage: their worker is away, or does not have the log any more.
	Stored bool
	End    bool // nothing follows, and nothing will
}

// LogHit is a line that a search found.
type LogHit struct {
	Line int64
	Text string
}

// MaxLogLines bounds one page of a log.
const MaxLogLines = 5000

// log reads part of an attempt's log. It returns ErrNoLog before the attempt reached a worker, and what Logs returns.
func (s *Service) log(ctx context.Context, t *ListedTask, req *doradov1.LogRequest, fn func(*doradov1.LogReply) error) error {
	if t.LogPath == "" || t.Host == "" {
		return ErrNoLog.With("name", t.Name)
	}
	req.Path = t.LogPath
	return s.Logs.ReadLog(ctx, t.Host, req, fn)
}

// LogLines returns up to limit lines from a line on; a negative from counts from the end.
func (s *Service) LogLines(ctx context.Context, t *ListedTask, from int64, limit int) (LogPage, error) {
	page := LogPage{Total: -1}
	limit = min(max(limit, 1), MaxLogLines)
	first := true
	err := s.log(ctx, t, &doradov1.LogRequest{Want: &doradov1.LogRequest_Lines{Lines: &doradov1.LogLines{From: from, Limit: int32(limit)}}},
		func(r *doradov1.LogReply) error {
			if first {
				page.From, first = r.GetFrom(), false
			}
			page.Lines = append(page.Lines, r.GetLines()...)
			page.Total, page.Size, page.Stored = r.GetTotal(), r.GetSize(), r.GetStored()
			return nil
		})
	page.End = t.State.Finished() && page.Total >= 0 && page.From+int64(len(page.Lines)) >= page.Total
	return page, err
}

// LogSearch looks for a text or a regular expression in the whole log, from a line on. It returns a bad-pattern fault for
// an expression that is none.
func (s *Service) LogSearch(ctx context.Context, t *ListedTask, query string, regex, matchCase bool, from int64, limit int) (hits []LogHit, more bool, err error) {
	req := &doradov1.LogSearch{Query: query, Regex: regex, MatchCase: matchCase, From: from, Limit: int32(min(max(limit, 1), 10_000))}
	err = s.log(ctx, t, &doradov1.LogRequest{Want: &doradov1.LogRequest_Search{Search: req}}, func(r *doradov1.LogReply) error {
		for i, text := range r.GetLines() {
			if i >= len(r.GetNumbers()) {
				return fmt.Errorf("log search: %d lines with %d numbers", len(r.GetLines()), len(r.GetNumbers()))
			}
			hits = append(hits, LogHit{Line: r.GetNumbers()[i], Text: text})
		}
		more = more || r.GetMore()
		return nil
	})
	return hits, more, err
}

// LogFollow calls fn with every piece of the log from a line on, as it is written, until the attempt has ended and all
// of it was passed on, or ctx ends.
func (s *Service) LogFollow(ctx context.Context, t *ListedTask, from int64, fn func(*doradov1.LogReply) error) error {
	return s.log(ctx, t, &doradov1.LogRequest{Want: &doradov1.LogRequest_Follow{Follow: &doradov1.LogFollow{From: from}}}, fn)
}

// LogCopy writes the whole log as it is.
func (s *Service) LogCopy(ctx context.Context, t *ListedTask, to io.Writer) error {
	return s.log(ctx, t, &doradov1.LogRequest{Want: &doradov1.LogRequest_Bytes{Bytes: &doradov1.LogBytes{}}}, func(r *doradov1.LogReply) error {
		_, err := to.Write(r.GetData())
		return err
	})
}
