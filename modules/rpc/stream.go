package rpc

import (
	"errors"

	"dorado/modules/rpc/doradov1"
)

// Protocol is the newest protocol number this program speaks; dorado.proto says what each has. Claims begin with
// ProtocolClaim.
const (
	Protocol      = 2
	ProtocolClaim = 2
)

// MaxFrame bounds one encoded frame, in bytes; a longer one closes the stream.
const MaxFrame = 64 << 20

// ErrClosed is returned by Send and Recv after the stream ended, whatever ended it.
var ErrClosed = errors.New("rpc: stream closed")

// ErrHungUp is what Recv adds to ErrClosed when the peer ended the connection in order (FIN): a process that dies does that at
// once, one that is cut off does not. A reset (RST) says less: routers and firewalls send it, too, for connections of processes
// that live. A process that dies before it has read all that was sent to it is one of those.
var ErrHungUp = errors.New("the peer hung up")

// WorkerStream is the worker's end of a stream to one master.
type WorkerStream interface {
	// Send queues a frame; it is written together with what else waits. It blocks while the peer is slow and returns
	// ErrClosed after the stream ended. Safe for concurrent use; the frame must not be changed afterwards.
	Send(*doradov1.WorkerFrame) error
	// Recv returns the next frame from the master. One caller at a time.
	Recv() (*doradov1.MasterFrame, error)
	Close() error
}

// MasterStream is the master's end of a stream from one worker; see WorkerStream.
type MasterStream interface {
	Send(*doradov1.MasterFrame) error
	Recv() (*doradov1.WorkerFrame, error)
	Close() error
}

// Dialer opens a stream to a master. It returns when the peer has proved itself, or with an error that says why not.
type Dialer interface {
	Dial() (WorkerStream, error)
}
