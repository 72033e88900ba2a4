package hive2

import (
	"context"
	"database/sql/driver"
	"strings"

	hs "github.com/beltran/gohive/hiveserver"

	"dorado/plugins/datasource"
)

const (
	fetchLog = 1 // the fetch type of the operation log; 0 are the rows

	// What is passed on of the log of one statement.
	maxToldLines = 10_000
	maxToldBytes = 1 << 20
	// toldPortions bounds how much of it is read before the server is asked about the statement again.
	toldPortions = 10
	// toldFailures is after how many refusals a server counts as one that keeps no log.
	toldFailures = 3
)

// told passes on what the server writes about a statement: the operation log.
type told struct {
	o        *operation
	tell     func(line string) // nil: nobody listens, or the server has nothing to say
	lines    int
	bytes    int
	failures int
}

func (o *operation) told(ctx context.Context) *told {
	t := &told{o: o, tell: datasource.Told(ctx)}
	if t.tell != nil && !o.s.logs(ctx) {
		t.tell = nil
	}
	return t
}

// logs says whether the server tells rows and log apart. Impala hands out rows whatever is asked for: they would be lost.
func (s *session) logs(ctx context.Context) bool {
	if s.name == "" {
		req := &hs.TGetInfoReq{SessionHandle: s.handle, InfoType: hs.TGetInfoType_CLI_DBMS_NAME}
		answer, err := call(ctx, s, func(ctx context.Context) (*hs.TGetInfoResp, error) { return s.client.GetInfo(ctx, req) }, (*hs.TGetInfoResp).GetStatus)
		if s.name = "?"; err == nil && answer.InfoValue != nil && answer.InfoValue.StringValue != nil {
			s.name = strings.ToLower(*answer.InfoValue.StringValue)
		}
	}
	return s.name != "?" && !strings.Contains(s.name, "impala")
}

// more passes on what is new. A server that has no log does not hinder the statement.
func (t *told) more(ctx context.Context) {
	for range toldPortions {
		if t.tell == nil {
			return
		}
		req := &hs.TFetchResultsReq{OperationHandle: t.o.handle, Orientation: hs.TFetchOrientation_FETCH_NEXT, MaxRows: portion, FetchType: fetchLog}
		answer, err := call(ctx, t.o.s, func(ctx context.Context) (*hs.TFetchResultsResp, error) { return t.o.s.client.FetchResults(ctx, req) }, (*hs.TFetchResultsResp).GetStatus)
		if err != nil {
			if t.failures++; t.failures == toldFailures || t.o.s.broken {
				t.tell = nil
			}
			return
		}
		if answer.Results == nil {
			return
		}
		list, n, err := columns(answer.Results.Columns, 1)
		if err != nil || n == 0 {
			return
		}
		for i := range n {
			t.row(list[0].at(i))
		}
	}
}

// last passes on the rest, also of a statement that was cancelled.
func (t *told) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	t.more(ctx)
}

func (t *told) row(value driver.Value) {
	text, _ := value.(string)
	for line := range strings.Lines(text) {
		if t.tell == nil {
			return
		}
		line = strings.TrimRight(readable(strings.TrimRight(line, "\r\n")), " ")
		t.lines++
		if t.bytes += len(line) + 1; t.lines > maxToldLines || t.bytes > maxToldBytes {
			t.tell("the server's log of this statement is longer; the rest is left out")
			t.tell = nil
			return
		}
		t.tell(line)
	}
}
