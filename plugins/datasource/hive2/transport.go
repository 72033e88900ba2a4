package hive2

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/apache/thrift/lib/go/thrift"
)

// The words of SASL in Thrift.
const (
	saslStart    = 1
	saslOK       = 2
	saslBad      = 3
	saslError    = 4
	saslComplete = 5
)

// maxChallenge bounds what a server says while signing in.
const maxChallenge = 64 << 10

// transport carries messages over a connection: as they are, or in frames, as SASL PLAIN wants it.
type transport struct {
	conn   net.Conn
	in     *bufio.Reader
	out    bytes.Buffer
	frames bool
	left   uint32 // of the frame that is read
	answer int64  // how much an answer may still have
}

var _ thrift.TTransport = (*transport)(nil)

func newTransport(conn net.Conn, frames bool) *transport {
	return &transport{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), frames: frames}
}

// errLong says that an answer has more than maxAnswer.
var errLong = errors.New("the answer of the server is too long")

// Read gives what comes.
func (t *transport) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if t.answer <= 0 {
		return 0, thrift.NewTTransportExceptionFromError(errLong)
	}
	p = p[:min(int64(len(p)), t.answer)]
	if t.frames {
		for t.left == 0 {
			var head [4]byte
			if _, err := io.ReadFull(t.in, head[:]); err != nil {
				return 0, thrift.NewTTransportExceptionFromError(err)
			}
			t.left = binary.BigEndian.Uint32(head[:])
			if t.answer -= 4; t.answer <= 0 {
				return 0, thrift.NewTTransportExceptionFromError(errLong)
			}
		}
		p = p[:min(int64(len(p)), int64(t.left))]
	}
	n, err := t.in.Read(p)
	t.answer -= int64(n)
	if t.frames {
		t.left -= uint32(n)
	}
	return n, thrift.NewTTransportExceptionFromError(err)
}

// Write keeps until Flush.
func (t *transport) Write(p []byte) (int, error) { return t.out.Write(p) }

// Flush sends what was written.
func (t *transport) Flush(context.Context) error {
	t.answer = maxAnswer
	message := t.out.Bytes()
	if t.frames {
		message = append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)
	}
	_, err := t.conn.Write(message)
	t.out.Reset()
	return thrift.NewTTransportExceptionFromError(err)
}

// RemainingBytes is not known.
func (*transport) RemainingBytes() uint64 { return ^uint64(0) }

// Open does nothing: the connection is there.
func (*transport) Open() error { return nil }

// IsOpen says so.
func (*transport) IsOpen() bool { return true }

// Close drops the connection.
func (t *transport) Close() error { return t.conn.Close() }

// signIn is SASL PLAIN.
func (t *transport) signIn(user, password string) error {
	hello := say(nil, saslStart, []byte("PLAIN"))
	hello = say(hello, saslOK, []byte("\x00"+user+"\x00"+password))
	if _, err := t.conn.Write(hello); err != nil {
		return err
	}
	for range 4 { // some servers say OK before they say it is complete
		var head [5]byte
		if _, err := io.ReadFull(t.in, head[:]); err != nil {
			return fmt.Errorf("the server does not sign in by SASL; it may want auth=noSasl, ssl=true or transportMode=http: %w", err)
		}
		size := binary.BigEndian.Uint32(head[1:])
		if size > maxChallenge {
			return errors.New("the server does not sign in by SASL")
		}
		text := make([]byte, size)
		if _, err := io.ReadFull(t.in, text); err != nil {
			return err
		}
		switch head[0] {
		case saslComplete:
			return nil
		case saslOK:
		case saslBad, saslError:
			return &SignInError{"the server refuses the sign-in: " + readable(string(text))}
		default:
			return errors.New("the server does not sign in by SASL")
		}
	}
	return errors.New("the server does not end the sign-in")
}

func say(b []byte, word byte, text []byte) []byte {
	return append(binary.BigEndian.AppendUint32(append(b, word), uint32(len(text))), text...)
}
