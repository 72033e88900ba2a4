package tasklog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"dorado/modules/rpc/doradov1"
)

// Bounds of one answer.
const (
	MaxLine   = 1 << 20   // bytes; a longer line counts as several
	MaxLines  = 5000      // of one page
	MaxHits   = 1000      // of one search
	ChunkSize = 256 << 10 // bytes of one piece of a download
)

const (
	maxReply      = 4 << 20 // bytes of lines in one answer; more follows on request
	searchTime    = 5 * time.Second
	readBlock     = 256 << 10
	checkInterval = 4096 // lines between two looks at the clock
)

// lineReader cuts a file into lines, from an offset on. It keeps its own position, so many may read one file.
type lineReader struct {
	f   io.ReaderAt
	at  int64 // of the next byte to be read
	end int64
	buf []byte // read and not yet given out
}

// next returns the next line without its end, how many bytes it takes in the file, and whether it has an end. The line
// is valid until the following call. io.EOF says that there is none.
func (r *lineReader) next() (line []byte, size int, ended bool, err error) {
	for seen := 0; ; {
		if i := bytes.IndexByte(r.buf[seen:], '\n'); i >= 0 && seen+i <= MaxLine {
			line = r.buf[:seen+i]
			r.buf = r.buf[seen+i+1:]
			return line, len(line) + 1, true, nil
		}
		if len(r.buf) > MaxLine {
			line = r.buf[:MaxLine]
			r.buf = r.buf[MaxLine:]
			return line, len(line), true, nil
		}
		seen = len(r.buf)
		if r.at >= r.end {
			line, r.buf = r.buf, nil
			if len(line) == 0 {
				return nil, 0, false, io.EOF
			}
			return line, len(line), false, nil
		}
		block := make([]byte, len(r.buf), len(r.buf)+readBlock)
		copy(block, r.buf)
		n, err := r.f.ReadAt(block[len(block):len(block)+int(min(readBlock, r.end-r.at))], r.at)
		r.at += int64(n)
		r.buf = block[:len(block)+n]
		if n == 0 {
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, 0, false, err
			}
			r.end = r.at // it was made shorter
		}
	}
}

// text is a line as it is shown: valid UTF-8.
func text(line []byte) string { return strings.ToValidUTF8(string(line), "\uFFFD") }

// lines answers a request for a page. A negative from counts from the end.
func (s *Reader) lines(ctx context.Context, f Source, from int64, limit int) (*doradov1.LogReply, error) {
	if limit <= 0 || limit > MaxLines {
		limit = MaxLines
	}
	idx, err := s.indexes.update(ctx, f)
	if err != nil {
		return nil, err
	}
	total := idx.total()
	if from < 0 {
		from = max(0, total+from)
	}
	reply := &doradov1.LogReply{From: from, Total: total, Size: idx.size, Partial: idx.partial}
	r, number := idx.seek(f, from)
	bytesLeft := maxReply
	for len(reply.Lines) < limit {
		line, _, _, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if number++; number <= from {
			continue
		}
		if bytesLeft -= len(line); bytesLeft < 0 && len(reply.Lines) > 0 {
			break
		}
		reply.Lines = append(reply.Lines, text(line))
	}
	reply.More = from+int64(len(reply.Lines)) < total
	reply.Partial = reply.Partial && !reply.More
	return reply, nil
}

// search looks for a text or an RE2 pattern, from a line on. It stops at the limit of hits or of time; then More is set
// and From is where to go on.
func (s *Reader) search(ctx context.Context, f Source, want *doradov1.LogSearch) (*doradov1.LogReply, error) {
	matches, err := matcher(want)
	if err != nil {
		return nil, err
	}
	limit := int(want.GetLimit())
	if limit <= 0 || limit > MaxHits {
		limit = MaxHits
	}
	idx, err := s.indexes.update(ctx, f)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(searchTime)
	from := max(0, want.GetFrom())
	r, number := idx.seek(f, from)
	reply := &doradov1.LogReply{Total: idx.total(), Size: idx.size}
	bytesLeft := maxReply
	for ; ; number++ {
		line, _, _, err := r.next()
		if errors.Is(err, io.EOF) {
			reply.From = number
			return reply, nil
		}
		if err != nil {
			return nil, err
		}
		if number < from {
			continue
		}
		if number%checkInterval == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if len(reply.Lines) == limit || bytesLeft <= 0 || (number%checkInterval == 0 && time.Now().After(deadline)) {
			reply.From, reply.More = number, true
			return reply, nil
		}
		if matches(line) {
			reply.Lines = append(reply.Lines, text(line))
			reply.Numbers = append(reply.Numbers, number)
			bytesLeft -= len(line)
		}
	}
}

// matcher turns a query into a test. RE2 runs in linear time, whatever the pattern.
func matcher(want *doradov1.LogSearch) (func([]byte) bool, error) {
	pattern := want.GetQuery()
	if pattern == "" || len(pattern) > 1000 {
		return nil, ErrBadPattern
	}
	if !want.GetRegex() {
		if want.GetMatchCase() {
			needle := []byte(pattern)
			return func(line []byte) bool { return bytes.Contains(line, needle) }, nil
		}
		pattern = regexp.QuoteMeta(pattern)
	}
	if !want.GetMatchCase() {
		pattern = "(?i)" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadPattern, err)
	}
	return re.Match, nil
}

// follow sends what is there from a line on, then what is added, until it is cancelled or the attempt is over. A last
// line without an end is sent as partial, and again when it has grown: with the same number.
func (s *Reader) follow(ctx context.Context, f Source, over func() bool, from int64, send Send) error {
	const interval = 100 * time.Millisecond
	const batch = 500
	idx, err := s.indexes.update(ctx, f)
	if err != nil {
		return err
	}
	if from < 0 {
		from = max(0, idx.total()+from)
	}
	r, number := idx.seek(f, from)
	offset := r.at // of line number
	partial := -1  // length of the unfinished line that was sent
	tick := time.NewTicker(interval)
	defer tick.Stop()
	first := true
	for {
		over := over() // asked before the file is read: what was written by then is seen
		length, _, err := f.State()
		if err != nil {
			return err
		}
		if length < offset { // it was made shorter: begin anew
			offset, number, partial = 0, 0, -1
		}
		r := &lineReader{f: f, at: offset, end: length}
		for more := true; more; {
			reply := &doradov1.LogReply{From: max(number, from), Total: -1, Size: length}
			for bytesLeft := maxReply; len(reply.Lines) < batch && bytesLeft > 0; {
				line, size, ended, err := r.next()
				if errors.Is(err, io.EOF) {
					more = false
					break
				}
				if err != nil {
					return err
				}
				if !ended {
					if more = false; len(line) == partial || number < from {
						break
					}
					partial, reply.Partial = len(line), true
				} else {
					offset, partial = offset+int64(size), -1
					if number++; number <= from {
						continue
					}
				}
				reply.Lines = append(reply.Lines, text(line))
				bytesLeft -= len(line)
			}
			if len(reply.Lines) > 0 || first {
				first = false
				if err := send(reply); err != nil {
					return err
				}
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if over {
			return send(&doradov1.LogReply{Done: true, From: max(number, from), Total: number, Size: offset})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// index knows where every thousandth line of a file begins.
type index struct {
	offsets []int64 // of lines 0, 1000, 2000, …
	count   int64   // complete lines
	at      int64   // where the line after them begins
	partial bool    // something stands there
	size    int64
}

const indexStep = 1000

func (x index) total() int64 {
	if x.partial {
		return x.count + 1
	}
	return x.count
}

// seek returns a reader at the nearest known line at or before line, and the number of that line.
func (x index) seek(f io.ReaderAt, line int64) (*lineReader, int64) {
	i := min(max(0, line)/indexStep, int64(len(x.offsets)-1))
	if line >= x.count {
		return &lineReader{f: f, at: x.at, end: x.size}, x.count
	}
	return &lineReader{f: f, at: x.offsets[i], end: x.size}, i * indexStep
}

// extend reads what was added.
func (x index) extend(ctx context.Context, f io.ReaderAt, size int64) (index, error) {
	r := &lineReader{f: f, at: x.at, end: size}
	x.partial, x.size = false, size
	for {
		_, n, ended, err := r.next()
		if errors.Is(err, io.EOF) {
			return x, nil
		}
		if err != nil {
			return x, err
		}
		if !ended {
			x.partial = true
			return x, nil
		}
		x.at += int64(n)
		if x.count++; x.count%indexStep == 0 {
			x.offsets = append(x.offsets, x.at)
			if ctx.Err() != nil {
				return x, ctx.Err()
			}
		}
	}
}
