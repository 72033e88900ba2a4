package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

func longestFirst(keys []string) {
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// errShort says that a reader gave less than was announced.
var errShort = errors.New("storage: the content is shorter than announced")

// Exactly returns a reader that ends after size bytes, and fails when r gives less. With an unknown size it is r.
func Exactly(r io.Reader, size int64) io.Reader {
	if size < 0 {
		return r
	}
	return &exact{r: r, left: size, size: size}
}

type exact struct {
	r          io.Reader
	left, size int64
}

func (e *exact) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.r.Read(p)
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		err = fmt.Errorf("%w: %d of %d bytes", errShort, e.size-e.left, e.size)
	}
	return n, err
}
