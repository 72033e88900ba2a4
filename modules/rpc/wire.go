package rpc

import (
	"bufio"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"dorado/modules/rpc/doradov1"
)

const (
	magic            = "DORADO/1"
	nonceSize        = 32
	handshakeTimeout = 5 * time.Second
	wireDepth        = 256
	// A peer that takes no bytes for this long is gone: the stream ends, and what it carried is repeated elsewhere.
	writeTimeout = 20 * time.Second
)

// ErrSecret says that the peer does not know the cluster secret (or is no Dorado process).
var ErrSecret = errors.New("rpc: the peer does not know the cluster secret")

type role byte

const (
	masterRole role = 'M'
	workerRole role = 'W'
)

// handshake proves to each side that the other knows the secret. Both sides send a nonce, then the HMAC of (their role,
// the peer's nonce, their own nonce); the role keeps a proof from being sent back to its maker.
func handshake(conn net.Conn, secret []byte, me role) error {
	if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	peerRole := masterRole
	if me == masterRole {
		peerRole = workerRole
	}
	var mine, theirs [nonceSize]byte
	if _, err := rand.Read(mine[:]); err != nil {
		return err
	}
	if _, err := conn.Write(append([]byte(magic), mine[:]...)); err != nil {
		return err
	}
	greeting := make([]byte, len(magic)+nonceSize)
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return err
	}
	if string(greeting[:len(magic)]) != magic {
		return ErrSecret
	}
	copy(theirs[:], greeting[len(magic):])
	if _, err := conn.Write(proof(secret, me, theirs[:], mine[:])); err != nil {
		return err
	}
	got := make([]byte, sha256.Size)
	if _, err := io.ReadFull(conn, got); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return ErrSecret // the peer hung up on our proof
		}
		return err
	}
	if !hmac.Equal(got, proof(secret, peerRole, mine[:], theirs[:])) {
		return ErrSecret
	}
	return conn.SetDeadline(time.Time{})
}

func proof(secret []byte, who role, peerNonce, ownNonce []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte{byte(who)})
	h.Write(peerNonce)
	h.Write(ownNonce)
	return h.Sum(nil)
}

// wire frames messages on a connection. One goroutine writes whatever waits and flushes when the queue is empty, so that
// a burst costs one system call and a lone frame leaves at once.
type wire struct {
	conn   net.Conn
	in     *bufio.Reader
	out    chan []byte
	closed chan struct{}
	once   sync.Once
	done   chan struct{} // the writer has ended
	ended  atomic.Bool   // a write found that the peer had said that it sends no more
}

func newWire(conn net.Conn) *wire {
	w := &wire{
		conn: conn, in: bufio.NewReaderSize(conn, 64<<10),
		out: make(chan []byte, wireDepth), closed: make(chan struct{}), done: make(chan struct{}),
	}
	go w.write()
	return w
}

func (w *wire) close() error {
	w.once.Do(func() { close(w.closed) })
	<-w.done
	return nil
}

func (w *wire) send(m proto.Message) error {
	size := proto.Size(m)
	if size > MaxFrame {
		return fmt.Errorf("rpc: frame of %d bytes is over the limit of %d", size, MaxFrame)
	}
	buf := make([]byte, 4, 4+size)
	binary.BigEndian.PutUint32(buf, uint32(size))
	buf, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(buf, m)
	if err != nil {
		return err
	}
	select {
	case <-w.closed:
		return ErrClosed
	default:
	}
	select {
	case w.out <- buf:
		return nil
	case <-w.closed:
		return ErrClosed
	}
}

func (w *wire) write() {
	defer close(w.done)
	defer w.conn.Close()
	buf := bufio.NewWriterSize(w.conn, 64<<10)
	for {
		select {
		case frame := <-w.out:
			if !w.put(buf, frame) {
				return
			}
		case <-w.closed:
			for { // what was queued before the close still leaves
				select {
				case frame := <-w.out:
					if !w.put(buf, frame) {
						return
					}
				default:
					return
				}
			}
		}
	}
}

// put writes one frame and flushes when nothing else waits; false ends the stream.
func (w *wire) put(buf *bufio.Writer, frame []byte) bool {
	err := w.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = buf.Write(frame)
	}
	if err == nil && len(w.out) == 0 {
		err = buf.Flush()
	}
	if err != nil {
		if errors.Is(err, syscall.EPIPE) { // a reset after the peer's end; one without is ECONNRESET
			w.ended.Store(true)
		}
		w.once.Do(func() { close(w.closed) })
		return false
	}
	return true
}

func (w *wire) recv(m proto.Message) error {
	var head [4]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return w.fail(err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > MaxFrame {
		return w.fail(fmt.Errorf("rpc: peer announced a frame of %d bytes", size))
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(w.in, data); err != nil {
		return w.fail(err)
	}
	if err := proto.Unmarshal(data, m); err != nil {
		return w.fail(err)
	}
	return nil
}

// fail ends the stream; a plain end of the connection is ErrClosed, with ErrHungUp when it was the peer's doing; anything
// else is said.
func (w *wire) fail(err error) error {
	w.once.Do(func() { close(w.closed) })
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", ErrClosed, ErrHungUp)
	case errors.Is(err, net.ErrClosed) && w.ended.Load():
		return fmt.Errorf("%w: %w", ErrClosed, ErrHungUp)
	case errors.Is(err, net.ErrClosed):
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", ErrClosed, err)
}

type workerWire struct{ *wire }

func (s workerWire) Send(f *doradov1.WorkerFrame) error { return s.send(f) }

func (s workerWire) Recv() (*doradov1.MasterFrame, error) {
	f := new(doradov1.MasterFrame)
	if err := s.recv(f); err != nil {
		return nil, err
	}
	return f, nil
}

func (s workerWire) Close() error { return s.close() }

type masterWire struct{ *wire }

func (s masterWire) Send(f *doradov1.MasterFrame) error { return s.send(f) }

func (s masterWire) Recv() (*doradov1.WorkerFrame, error) {
	f := new(doradov1.WorkerFrame)
	if err := s.recv(f); err != nil {
		return nil, err
	}
	return f, nil
}

func (s masterWire) Close() error { return s.close() }
