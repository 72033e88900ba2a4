package resource

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/plugins/storage"
)

// A search reads files, so it is bounded in every direction; what is left out is said.
const (
	maxNeedle     = 200             // characters of what is looked for
	searchNames   = 100             // files that are found by their names
	searchFiles   = 2000            // text files that are read
	searchBytes   = int64(64 << 20) // of them
	searchHits    = 200             // lines that are shown
	searchPerFile = 5               // of one file
	searchTime    = 5 * time.Second // for all
	searchAtOnce  = 2               // searches
	excerptBefore = 60              // characters of a line that stand before the text
	excerptAfter  = 140             // and behind it
)

// ErrNeedle is what a search for too much or too little returns.
var ErrNeedle = fault.New(fault.Invalid, "resource.search_text")

// Hit is one line of a file with what was looked for: Before, the text as it is written there, and After.
type Hit struct {
	File   File
	Line   int // from 1
	Before string
	Match  string
	After  string
}

// Found is what a search found.
type Found struct {
	Names []File // whose name holds the text
	Hits  []Hit  // lines of text files, in the order of paths
	Read  int    // files that were read
	// Partial says that there was more than may be read or shown.
	Partial bool
}

// Search looks for a text, whatever its case, in the names of everything below some folders and in the lines of text files
// there. It returns ErrNeedle.
func (s *Service) Search(ctx context.Context, text string, folders ...Ref) (Found, error) {
	var out Found
	for _, folder := range folders {
		if err := s.folder(ctx, folder); err != nil {
			return out, err
		}
	}
	if text = strings.TrimSpace(text); text == "" || utf8.RuneCountInString(text) > maxNeedle {
		return out, ErrNeedle.With("max", maxNeedle).OnField("q", ErrNeedle.Key, "max", maxNeedle)
	}
	select {
	case s.searching <- struct{}{}:
		defer func() { <-s.searching }()
	case <-ctx.Done():
		return out, ctx.Err()
	}
	var files []File
	for _, folder := range folders {
		names, err := s.store.named(ctx, folder, text, searchNames+1-len(out.Names))
		if err != nil {
			return out, err
		}
		some, err := s.store.readable(ctx, folder, searchFiles+1-len(files))
		if err != nil {
			return out, err
		}
		out.Names, files = append(out.Names, names...), append(files, some...)
	}
	if len(out.Names) > searchNames {
		out.Names, out.Partial = out.Names[:searchNames], true
	}
	if len(files) > searchFiles {
		files, out.Partial = files[:searchFiles], true
	}
	limited, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	needle, left := newNeedle(text), searchBytes
	for _, f := range files {
		if left -= f.Size; left < 0 || len(out.Hits) >= searchHits || limited.Err() != nil {
			out.Partial = true
			break
		}
		hits, err := s.lines(limited, f, needle)
		if limited.Err() != nil && ctx.Err() == nil {
			out.Partial = true
			break
		}
		if err != nil {
			return out, err
		}
		out.Read++
		out.Hits = append(out.Hits, hits...)
	}
	return out, nil
}

// lines finds the first lines of a file with a text. A file that is gone from the storage, or is no text, has none.
func (s *Service) lines(ctx context.Context, f File, n needle) ([]Hit, error) {
	r, _, err := s.Storage.Get(ctx, f.Blob, 0)
	if err != nil {
		return nil, ignoreMissing(err)
	}
	defer func() { _ = r.Close() }()
	var hits []Hit
	in := bufio.NewReaderSize(r, 64<<10)
	for number := 1; len(hits) < searchPerFile; number++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) { // the rest of a line that is so long is not looked at
			line = bytes.Clone(line)
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
		}
		if bytes.IndexByte(line, 0) >= 0 {
			return nil, nil
		}
		if h, found := n.in(string(bytes.TrimRight(line, "\r\n"))); found {
			h.File, h.Line = f, number
			hits = append(hits, h)
		}
		if errors.Is(err, io.EOF) {
			return hits, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return hits, nil
}

// needle is a text that is looked for, whatever its case.
type needle struct{ folded []rune }

func newNeedle(text string) needle { return needle{lowered(text)} }

// in finds the text in a line. Letters are compared one by one, so that places in the line stay what they are.
func (n needle) in(line string) (Hit, bool) {
	if len(line) < len(n.folded) {
		return Hit{}, false
	}
	line = strings.ToValidUTF8(line, "\uFFFD")
	all := []rune(line)
	at := index(lowered(line), n.folded)
	if at < 0 {
		return Hit{}, false
	}
	end := at + len(n.folded)
	h := Hit{Before: string(all[max(0, at-excerptBefore):at]), Match: string(all[at:end]), After: string(all[end:min(len(all), end+excerptAfter)])}
	if at > excerptBefore {
		h.Before = "…" + h.Before
	}
	if len(all) > end+excerptAfter {
		h.After += "…"
	}
	return h, true
}

func lowered(text string) []rune {
	all := []rune(text)
	for i, c := range all {
		all[i] = unicode.ToLower(c)
	}
	return all
}

// index is where the text begins, -1 when it is not there.
func index(line, text []rune) int {
	for at := 0; at+len(text) <= len(line); at++ {
		if line[at] == text[0] && slices.Equal(line[at:at+len(text)], text) {
			return at
		}
	}
	return -1
}

func ignoreMissing(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

// readable lists the files below a folder that may be text, in the order of paths.
func (s store) readable(ctx context.Context, folder Ref, limit int) ([]File, error) {
	where, args := below(folder)
	var ends []string
	args = append(args, false, MaxText)
	for _, suffix := range TextSuffixes() {
		ends = append(ends, "lower(r.name) LIKE ?")
		args = append(args, "%."+suffix)
	}
	query := "SELECT " + columns + " FROM " + from + " WHERE " + where + " AND r.is_dir = ? AND r.size <= ? AND (" + strings.Join(ends, " OR ") + ") ORDER BY r.path LIMIT ?"
	return db.Select[File](ctx, s.DB, query, append(args, limit)...)
}

func (s store) named(ctx context.Context, folder Ref, text string, limit int) ([]File, error) {
	where, args := below(folder)
	args = append(args, db.Contains(text), limit)
	return db.Select[File](ctx, s.DB, "SELECT "+columns+" FROM "+from+" WHERE "+where+" AND "+s.Dialect().Like("r.name")+" ORDER BY r.path LIMIT ?", args...)
}
