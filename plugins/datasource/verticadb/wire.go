package verticadb

import (
	"bufio"
	"crypto/md5" //nolint:gosec // what the protocol asks for
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

const (
	maxMessage = 64 << 20 // of what the server sends at once
	maxText    = 2000     // of what it says about a failure

	startup    = 0x00030005
	protocol   = 0x0003000f // 3.15
	cancelling = 80877102
	securing   = 80877103
)

// How the server wants to be shown a password.
const (
	authOK     = 0
	authPlain  = 3
	authMD5    = 5
	authSHA512 = 66048
)

var (
	errAnswer = errors.New("the server does not answer as Vertica does")
	errFiles  = errors.New("the statement, or the server, asks for files of this machine: COPY FROM LOCAL and its like are refused")
)

// Error is what Vertica says about a statement.
type Error struct {
	State    string // SQLSTATE
	Text     string
	Position string // number of a character
}

func (e *Error) Error() string {
	if e.State == "" {
		return e.Text
	}
	return e.Text + " (" + e.State + ")"
}

// send writes a message; kind 0 stands for those that begin a connection and have none.
func send(w io.Writer, kind byte, body []byte) error {
	out := make([]byte, 0, len(body)+5)
	if kind != 0 {
		out = append(out, kind)
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)+4)) //nolint:gosec // statements are smaller
	_, err := w.Write(append(out, body...))
	return err
}

// receive reads a message.
func receive(r *bufio.Reader) (byte, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[1:])) - 4
	if n < 0 || n > maxMessage {
		return 0, nil, errAnswer
	}
	body := make([]byte, n)
	_, err := io.ReadFull(r, body)
	return head[0], body, err
}

// hello is the first message.
func hello(user, database string) []byte {
	out := binary.BigEndian.AppendUint32(nil, startup)
	out = append(out, "protocol_version\x00"...)
	out = append(binary.BigEndian.AppendUint32(out, protocol), 0)
	for _, p := range [][2]string{
		{"user", user},
		{"database", database},
		{"client_type", "dorado"},
		{"client_version", "1"},
		{"client_label", "dorado"},
		{"client_pid", "0"},
		{"autocommit", "on"},
		{"protocol_compat", "VER"},
	} {
		out = append(append(append(append(out, p[0]...), 0), p[1]...), 0)
	}
	return append(out, 0)
}

// proof is the password as the server asks for it.
func proof(body []byte, user, password string) (string, error) {
	b := reader{body}
	how := b.uint32()
	salt := b.rest
	switch {
	case how == authPlain:
		return password, nil
	case how == authMD5 && len(salt) >= 4:
		inner := md5.Sum([]byte(password + user))                                   //nolint:gosec // as above
		outer := md5.Sum(append([]byte(hex.EncodeToString(inner[:])), salt[:4]...)) //nolint:gosec // as above
		return "md5" + hex.EncodeToString(outer[:]), nil
	case how == authSHA512 && len(salt) >= 8:
		inner := sha512.Sum512(append([]byte(password), salt[8:]...))
		outer := sha512.Sum512(append([]byte(hex.EncodeToString(inner[:])), salt[:4]...))
		return "sha512" + hex.EncodeToString(outer[:]), nil
	}
	return "", fmt.Errorf("the server wants a sign-in (%d) that is not supported: passwords are", how)
}

// reader takes a message apart. What is missing is zero, and rest is nil afterwards.
type reader struct{ rest []byte }

func (r *reader) take(n int) []byte {
	if n < 0 || len(r.rest) < n {
		r.rest = nil
		return make([]byte, max(0, min(n, 8)))
	}
	out := r.rest[:n:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }

func (r *reader) text() string {
	text, rest, ok := strings.Cut(string(r.rest), "\x00")
	if !ok {
		r.rest = nil
		return ""
	}
	r.rest = r.rest[len(r.rest)-len(rest):]
	return text
}

// failure reads an error.
func failure(body []byte) *Error {
	e := &Error{}
	for b := (reader{body}); len(b.rest) > 0; {
		kind := b.byte()
		if kind == 0 {
			break
		}
		switch text := b.text(); kind {
		case 'M':
			e.Text = readable(text)
		case 'C':
			e.State = readable(text)
		case 'P':
			e.Position = text
		}
	}
	return e
}

// column is a column of a result.
type column struct {
	name string
	kind uint32
}

// columns reads the description of a result.
func columns(body []byte) ([]column, error) {
	b := reader{body}
	n := int(b.uint16())
	types := make([]uint32, 0, 8) // of users: what they stand for
	for range b.uint32() {
		if b.rest == nil {
			return nil, errAnswer
		}
		types = append(types, b.uint32())
		b.text()
	}
	out := make([]column, 0, min(n, 10_000))
	for range n {
		if len(b.rest) == 0 {
			return nil, errAnswer
		}
		c := column{name: b.text()}
		if id := b.take(8); binary.BigEndian.Uint64(id) != 0 { // of a table, whose schema and name follow
			b.text()
			b.text()
		}
		b.take(2)
		users := b.byte() != 0
		if c.kind = b.uint32(); users {
			if int64(c.kind) >= int64(len(types)) {
				return nil, errAnswer
			}
			c.kind = types[c.kind]
		}
		b.take(2 + 2 + 2 + 4 + 2) // length, nullable, identity, modifier, format
		out = append(out, c)
	}
	if b.rest == nil {
		return nil, errAnswer
	}
	return out, nil
}

// readable makes a sentence of what a server says: one line, no control characters.
func readable(text string) string {
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text), "")
}
