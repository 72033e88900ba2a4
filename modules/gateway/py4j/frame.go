package py4j

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// Lengths of what is read before anybody is known, in bytes.
const (
	maxName  = 64
	maxToken = 4096
)

var (
	errTooLarge  = errors.New("the command is too large")
	errArguments = errors.New("the command has too many arguments")
)

// end closes every command but A.
const end = "e"

// frames reads commands from a connection.
type frames struct {
	in     *bufio.Reader
	limits Limits
	// grown is called once for a command that becomes larger than Limits.Large; it may wait.
	grown func() error
}

func newFrames(in io.Reader, limits Limits, grown func() error) *frames {
	return &frames{in: bufio.NewReaderSize(in, 16<<10), limits: limits, grown: grown}
}

// atMost allows a line of so many bytes.
func atMost(bytes int) func(int) error {
	return func(n int) error {
		if bytes -= n; bytes < -1 { // the line feed does not count
			return errTooLarge
		}
		return nil
	}
}

// line reads up to a line feed, without it. It returns io.EOF when nothing was sent any more. allow is told of every piece
// before it is kept.
func (f *frames) line(allow func(n int) error) (string, error) {
	var out strings.Builder
	for {
		part, err := f.in.ReadSlice('\n')
		if refused := allow(len(part)); refused != nil {
			return "", refused
		}
		switch {
		case err == nil:
			out.Write(part[:len(part)-1])
			return out.String(), nil
		case errors.Is(err, bufio.ErrBufferFull):
			out.Write(part)
		case errors.Is(err, io.EOF) && out.Len()+len(part) > 0:
			return "", io.ErrUnexpectedEOF
		default:
			return "", err //nolint:wrapcheck // of the connection; the caller tells an end from a failure
		}
	}
}

// body reads the lines of a command up to the closing one, which is left out.
func (f *frames) body() ([]string, error) {
	var lines []string
	size, large := 0, false
	allow := func(n int) error {
		if size += n; size > f.limits.Command {
			return errTooLarge
		}
		if size > f.limits.Large && !large {
			large = true
			return f.grown()
		}
		return nil
	}
	for {
		text, err := f.line(allow)
		if err != nil {
			return nil, err
		}
		if text == end {
			return lines, nil
		}
		if len(lines) >= f.limits.Lines {
			return nil, errArguments
		}
		lines = append(lines, text)
	}
}
