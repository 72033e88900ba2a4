package verticadb_test

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/sha512"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/secret"
	"dorado/plugins/datasource/verticadb"
)

// server plays the protocol. What it answers to a statement is decided by its text.
type server struct {
	t     *testing.T
	l     net.Listener
	auth  uint32 // 0: nothing is asked for
	mu    sync.Mutex
	asked []string
	ended chan struct{} // closed by a cancel request
}

func play(t *testing.T, auth uint32) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{t: t, l: l, auth: auth, ended: make(chan struct{})}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func message(kind byte, parts ...any) []byte {
	var body []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			body = append(append(body, p...), 0)
		case []byte:
			body = append(body, p...)
		case uint16:
			body = binary.BigEndian.AppendUint16(body, p)
		case uint32:
			body = binary.BigEndian.AppendUint32(body, p)
		case uint64:
			body = binary.BigEndian.AppendUint64(body, p)
		}
	}
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)), body...)
}

// described is a RowDescription; the first column belongs to a table, and the last is of a type of a user.
func described(kinds ...uint32) []byte {
	parts := []any{uint16(len(kinds)), uint32(1), uint32(9), "mytext"}
	for i, k := range kinds {
		parts = append(parts, fmt.Sprintf("c%d", i))
		if i == 0 {
			parts = append(parts, uint64(7), "public", "t")
		} else {
			parts = append(parts, uint64(0))
		}
		parts = append(parts, uint16(i))
		if k == 0 {
			parts = append(parts, []byte{1}, uint32(0))
		} else {
			parts = append(parts, []byte{0}, k)
		}
		parts = append(parts, uint16(8), uint16(1), uint16(0), uint32(0xffffffff), uint16(0))
	}
	return message('T', parts...)
}

func output(kind uint32) []byte {
	return message('T', uint16(1), uint32(0), "OUTPUT", uint64(0), uint16(0), []byte{0}, kind, uint16(8), uint16(1), uint16(0), uint32(0xffffffff), uint16(0))
}

func row(cells ...any) []byte {
	parts := []any{uint16(len(cells))}
	for _, c := range cells {
		if c == nil {
			parts = append(parts, uint32(0xffffffff))
			continue
		}
		parts = append(parts, uint32(len(c.(string))), []byte(c.(string)))
	}
	return message('D', parts...)
}

func wrong(state, text, position string) []byte {
	return message('E', []byte("S"), "ERROR", []byte("M"), text, []byte("C"), state, []byte("P"), position, []byte{0})
}

func (s *server) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	first := func() []byte {
		head := make([]byte, 4)
		if _, err := io.ReadFull(in, head); err != nil {
			return nil
		}
		body := make([]byte, binary.BigEndian.Uint32(head)-4)
		if _, err := io.ReadFull(in, body); err != nil {
			return nil
		}
		return body
	}
	body := first()
	if len(body) < 4 {
		return
	}
	switch binary.BigEndian.Uint32(body) {
	case 80877102: // cancel
		if binary.BigEndian.Uint32(body[4:]) == 42 && binary.BigEndian.Uint32(body[8:]) == 4711 {
			close(s.ended)
		}
		return
	case 80877103: // TLS
		_, _ = c.Write([]byte{'N'})
		return
	}
	next := func() (byte, string) {
		kind, err := in.ReadByte()
		if err != nil {
			return 0, ""
		}
		return kind, strings.TrimSuffix(string(first()), "\x00")
	}
	ready := message('Z', []byte("I"))
	if strings.Contains(string(body), "database\x00gone\x00") {
		_, _ = c.Write(wrong("3D000", `Database "gone" does not exist`, ""))
		return
	}
	if s.auth != 0 {
		salt := []byte("salt")
		want := "hunter2"
		extra := salt
		switch s.auth {
		case 3:
			extra = nil
		case 5:
			a := md5.Sum([]byte("hunter2ann"))
			b := md5.Sum(append([]byte(hex.EncodeToString(a[:])), salt...))
			want = "md5" + hex.EncodeToString(b[:])
		case 66048:
			extra = append([]byte("salt\x00\x00\x00\x04"), "user"...)
			a := sha512.Sum512([]byte("hunter2user"))
			b := sha512.Sum512(append([]byte(hex.EncodeToString(a[:])), salt...))
			want = "sha512" + hex.EncodeToString(b[:])
		}
		_, _ = c.Write(message('R', s.auth, extra))
		if kind, password := next(); kind != 'p' || password != want {
			_, _ = c.Write(wrong("28000", "Invalid username or password", ""))
			return
		}
	}
	_, _ = c.Write(append(message('R', uint32(0)), append(message('S', "protocol_version", "3.15"), append(message('K', uint32(42), uint32(4711)), ready...)...)...))
	for {
		kind, text := next()
		if kind != 'Q' {
			return
		}
		s.mu.Lock()
		s.asked = append(s.asked, text)
		s.mu.Unlock()
		var out []byte
		switch {
		case text == "endless":
			_, _ = c.Write(described(6))
			for i := range 1_000_000 {
				select {
				case <-s.ended:
					_, _ = c.Write(append(wrong("57014", "Execution canceled by operator", ""), ready...))
				default:
					if i > 100 {
						time.Sleep(time.Millisecond)
					}
					if _, err := c.Write(row("1")); err != nil {
						return
					}
					continue
				}
				break
			}
			continue
		case text == "silent":
			continue
		case text == "broken":
			out = wrong("42601", "Syntax error at or near \"x\"\nat", "8")
		case strings.HasPrefix(text, "insert"):
			out = append(output(6), append(row("3"), message('C', "INSERT")...)...)
		case text == "begin", text == "BEGIN", text == "COMMIT", text == "ROLLBACK":
			out = message('C', text)
		case strings.HasPrefix(text, "copy"):
			out = message('F', uint16(1), "/etc/passwd")
		case text == "garbage":
			out = message('?', "x")
		case text == "huge":
			_, _ = c.Write([]byte{'D', 0xff, 0xff, 0xff, 0xff})
			return
		case text == "cells":
			out = append(described(6, 6), row("1")...)
		case text == "short":
			out = append(described(6), message('D', uint16(1), uint32(1000), []byte("1"))...)
		case text == "none":
			out = message('T', uint16(9), uint32(5))
		case text == "user type":
			out = message('T', uint16(1), uint32(0), "c", uint64(0), uint16(0), []byte{1}, uint32(3))
		case text == "not a number":
			out = append(described(6), row("x")...)
		default:
			out = append(described(6, 5, 7, 16, 9, 10, 12, 13, 17, 0), append(row(
				"9007199254740993", "t", "0.1", "1.50", "it's", "2026-01-02", "2026-01-02 03:04:05.25", "2026-01-02 03:04:05+01", `\377\\a`, text,
			), append(row("-1", "f", "NaN", nil, "", "0044-03-15 BC", "infinity", nil, nil, nil), message('C', "SELECT")...)...)...)
		}
		_, _ = c.Write(append(out, ready...))
	}
}

func open(t *testing.T, s *server, password, database string) *sql.DB {
	t.Helper()
	db := sql.OpenDB(verticadb.NewConnector(verticadb.Config{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", s.l.Addr().String())
		},
		User: "ann", Password: secret.String(password), Database: database,
	}))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func TestEveryWayToSignInIsKnown(t *testing.T) {
	t.Parallel()
	for _, auth := range []uint32{0, 3, 5, 66048} {
		s := play(t, auth)
		require.NoError(t, open(t, s, "hunter2", "shop").PingContext(t.Context()), auth)
		if auth != 0 {
			require.ErrorContains(t, open(t, s, "wrong", "shop").PingContext(t.Context()), "Invalid username or password (28000)")
		}
		require.ErrorContains(t, open(t, s, "hunter2", "gone").PingContext(t.Context()), "does not exist (3D000)")
	}
	require.ErrorContains(t, open(t, play(t, 14), "x", "shop").PingContext(t.Context()), "not supported")
}

func TestValuesAreRead(t *testing.T) {
	t.Parallel()
	db := open(t, play(t, 0), "", "shop")
	rows, err := db.QueryContext(t.Context(), "select ?, '?' -- ?", "O'Neil\\")
	require.NoError(t, err)
	types, err := rows.ColumnTypes()
	require.NoError(t, err)
	require.Equal(t, []string{"INT", "NUMERIC", "VARBINARY", "VARCHAR"}, []string{
		types[0].DatabaseTypeName(), types[3].DatabaseTypeName(), types[8].DatabaseTypeName(), types[9].DatabaseTypeName(),
	})
	read := func() []any {
		t.Helper()
		require.True(t, rows.Next())
		values, into := make([]any, 10), make([]any, 10)
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(t, rows.Scan(into...))
		return values
	}
	got := read()
	require.Equal(t, []any{int64(9007199254740993), true, 0.1, "1.50", "it's"}, got[:5])
	require.Equal(t, []any{[]byte("\xff\\a"), `select 'O''Neil\', '?' -- ?`}, got[8:], "arguments are written into the statement")
	require.True(t, time.Date(2026, 1, 2, 3, 4, 5, 250_000_000, time.UTC).Equal(got[6].(time.Time)))
	require.True(t, time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC).Equal(got[7].(time.Time)))
	got = read()
	require.Equal(t, []any{"0044-03-15 BC", "infinity", nil}, got[5:8])
	require.False(t, rows.Next())
	require.NoError(t, rows.Err())
	result, err := db.ExecContext(t.Context(), "insert")
	require.NoError(t, err)
	n, err := result.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
}

func TestWhatIsNotReadIsCancelledAndTheConnectionLives(t *testing.T) {
	t.Parallel()
	s := play(t, 0)
	db := open(t, s, "", "shop")
	rows, err := db.QueryContext(t.Context(), "endless")
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.NoError(t, rows.Close())
	require.NoError(t, rows.Err())
	<-s.ended
	_, err = db.ExecContext(t.Context(), "insert")
	require.NoError(t, err)
	require.Len(t, s.asked, 2, "on the same connection, for the server serves one after the other")
}

func TestAStatementWhoseTimeIsOverIsCancelledOnTheServer(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"endless", "silent"} {
		s := play(t, 0)
		db := open(t, s, "", "shop")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		begin := time.Now()
		_, err := db.ExecContext(ctx, text)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(begin), 3*time.Second)
		select {
		case <-s.ended:
		case <-time.After(5 * time.Second):
			t.Fatal("the server was not told")
		}
		_, err = db.ExecContext(t.Context(), "insert")
		require.NoError(t, err, "another connection is made")
	}
}

func TestFailuresGarbageAndQuestionsForFilesAreErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"broken": `Syntax error at or near "x" at (42601)`, "copy t from local '/etc/passwd'": "asks for files of this machine", "garbage": "does not answer as Vertica",
		"huge": "does not answer as Vertica", "cells": "another number of values", "short": "does not answer as Vertica", "none": "does not answer as Vertica",
		"user type": "does not answer as Vertica", "not a number": "none of its type",
	} {
		db := open(t, play(t, 0), "", "shop")
		_, err := db.ExecContext(t.Context(), text)
		require.ErrorContains(t, err, want, text)
		_, err = db.ExecContext(t.Context(), "insert")
		require.NoError(t, err, "%s: and what follows works", text)
	}
}
