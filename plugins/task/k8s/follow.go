package k8s

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

var errBroken = errors.New("the connection broke")

const longestLine = 1 << 20 // a longer one is logged as several

// follower copies the log of one container, whose stream may break at any time, without repeating or losing lines.
//
// The server can be asked for what came after a second, not after a line. So the follower counts the lines of the latest
// second, and of the next answer it leaves out as many.
type follower struct {
	c         *client
	log       *logger
	pod       string
	container string
	ended     atomic.Bool // the container is: the next end of the stream is the end of the log

	second time.Time // the latest one, of which count lines were logged
	newest time.Time // of all logged lines
	count  int
}

// run ends when the log does, when there is none any more, or with ctx.
func (f *follower) run(ctx context.Context) {
	var between pause
	var before string // the end of the last answer
	for ctx.Err() == nil {
		complete := f.ended.Load()
		n, rest, err := f.stream(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && complete && n == 0 && rest == before: // nothing new: whoever closed the last stream had sent all
			if rest != "" { // the last line of the program had no end
				f.log.line(rest)
			}
			return
		case isCode(err, http.StatusNotFound):
			return
		case err != nil && !passing(err) && !isCode(err, http.StatusBadRequest): // 400: it has not started yet
			f.log.once("the log of the pod cannot be read: " + err.Error())
			return
		case err != nil && !isCode(err, http.StatusBadRequest):
			f.log.once("the log of the pod is interrupted: " + err.Error() + "; trying again")
		}
		before = rest
		if n > 0 {
			between = 0
		}
		between.wait(ctx)
	}
}

// stream logs what the server sends until it stops; n is how many lines were new. rest is a last line without an end.
func (f *follower) stream(ctx context.Context) (n int, rest string, err error) {
	q := url.Values{"container": {f.container}, "follow": {"true"}, "timestamps": {"true"}}
	skip := 0
	if !f.second.IsZero() {
		q.Set("sinceTime", f.second.UTC().Format(time.RFC3339))
		skip = f.count
	}
	body, err := f.c.open(ctx, http.MethodGet, f.c.pods(f.pod, "log"), q, nil)
	if err != nil {
		return 0, "", err
	}
	defer body.Close()
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		raw, err := readLine(lines)
		if err != nil {
			_, rest := stamped(raw)
			if errors.Is(err, io.EOF) {
				return n, rest, nil
			}
			return n, "", errBroken // each has a text of its own, and they all say the same
		}
		at, text := stamped(raw)
		if at.IsZero() { // not of the container: a complaint of whoever keeps its log
			f.log.line(text)
			continue
		}
		if skip > 0 && !at.After(f.newest) {
			skip--
			continue
		}
		skip = 0
		f.counted(at)
		n++
		f.log.line(text)
	}
}

func (f *follower) counted(at time.Time) {
	if at.After(f.newest) {
		f.newest = at
	}
	switch second := at.Truncate(time.Second); {
	case second.After(f.second):
		f.second, f.count = second, 1
	case second.Equal(f.second):
		f.count++
	}
	// An older line is not asked for again.
}

// readLine reads to the end of a line, or as much as a line may have.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'}), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		case len(line) >= longestLine:
			return line, nil
		}
	}
}

// stamped parts a line from the time before it; the time is zero where there is none.
func stamped(line []byte) (time.Time, string) {
	stamp, text, _ := bytes.Cut(line, []byte{' '})
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return time.Time{}, strings.ToValidUTF8(string(line), "\uFFFD")
	}
	return at, strings.ToValidUTF8(string(text), "\uFFFD")
}
