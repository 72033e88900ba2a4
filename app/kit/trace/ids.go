package trace

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// ID names a trace, as OpenTelemetry has it.
type ID [16]byte

// SpanID names a span within its trace.
type SpanID [8]byte

// String writes the id in hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// String writes the id in hexadecimal digits.
func (id SpanID) String() string { return hex.EncodeToString(id[:]) }

// IDs derives ids from what they are of. The salt keeps two installations that use one collector apart.
type IDs struct{ Salt string }

// Trace is the id of the trace of something with these numbers.
func (d IDs) Trace(of string, numbers ...int64) ID {
	var id ID
	d.derive(id[:], "trace "+of, numbers)
	return id
}

// Span is the id of the span of something with these numbers.
func (d IDs) Span(of string, numbers ...int64) SpanID {
	var id SpanID
	d.derive(id[:], "span "+of, numbers)
	return id
}

func (d IDs) derive(to []byte, of string, numbers []int64) {
	text := make([]byte, 0, len(d.Salt)+len(of)+2+8*len(numbers))
	text = append(append(append(append(text, d.Salt...), 0), of...), 0)
	for _, n := range numbers {
		text = binary.BigEndian.AppendUint64(text, uint64(n))
	}
	sum := sha256.Sum256(text)
	copy(to, sum[:])
	to[len(to)-1] |= 1 // an id of zeros is none
}

// Parent writes what a process is told of the span it works in (W3C trace context), for the variable TRACEPARENT.
func Parent(id ID, span SpanID) string { return "00-" + id.String() + "-" + span.String() + "-01" }
