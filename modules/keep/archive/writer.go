package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// Writer writes a backup. Rows of a table follow each other, tables in the order of the header, files after the rows.
type Writer struct {
	sealed io.WriteCloser // nil without a passphrase
	packed *zstd.Encoder
	tar    *tar.Writer
	header Header

	table    int // index of the table being written, -1 before the first
	piece    int
	rows     bytes.Buffer
	pending  []sum
	manifest Manifest
}

// NewWriter begins a backup on w. passphrase may be empty.
func NewWriter(w io.Writer, passphrase string, h Header) (*Writer, error) {
	h.Format = Format
	if err := h.check(); err != nil {
		return nil, err
	}
	a := &Writer{header: h, table: -1, manifest: Manifest{Rows: map[string]int64{}, Checksums: []string{}}}
	if passphrase != "" {
		to, err := age.NewScryptRecipient(passphrase)
		if err != nil {
			return nil, fmt.Errorf("encrypt the backup: %w", err)
		}
		if a.sealed, err = age.Encrypt(w, to); err != nil {
			return nil, fmt.Errorf("encrypt the backup: %w", err)
		}
		w = a.sealed
	}
	packed, err := zstd.NewWriter(w, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("pack the backup: %w", err)
	}
	a.packed, a.tar = packed, tar.NewWriter(packed)
	text, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return nil, err
	}
	for _, t := range h.Tables {
		a.manifest.Rows[t.Name] = 0
	}
	if err := a.member(headerName, text); err != nil {
		return nil, err
	}
	return a, nil
}

// Row adds a row: a JSON array without line ends, one value a column.
func (a *Writer) Row(table string, row []byte) error {
	if a.table < 0 || a.header.Tables[a.table].Name != table {
		if err := a.flush(); err != nil {
			return err
		}
		at := slices.IndexFunc(a.header.Tables, func(t Table) bool { return t.Name == table })
		if at <= a.table {
			return fmt.Errorf("archive: rows of table %s come too late", table)
		}
		a.table, a.piece = at, 0
	}
	if len(row) >= maxLine {
		return fmt.Errorf("a row of table %s has %d bytes, more than a backup can hold", table, len(row))
	}
	a.rows.Write(row)
	a.rows.WriteByte('\n')
	a.manifest.Rows[table]++
	if a.rows.Len() >= pieceSize {
		return a.flush()
	}
	return nil
}

func (a *Writer) flush() error {
	if a.rows.Len() == 0 {
		return nil
	}
	a.piece++
	err := a.member(pieceName(a.header.Tables[a.table].Name, a.piece), a.rows.Bytes())
	a.rows.Reset()
	if a.rows.Cap() > 4*pieceSize { // one huge row must not be held for ever
		a.rows = bytes.Buffer{}
	}
	return err
}

// File adds a file of size bytes below files/. A source that ends early is filled up with line ends: a log that was cut
// while it was read must not spoil the backup.
func (a *Writer) File(name string, size int64, modified time.Time, from io.Reader) error {
	if err := CheckPath(name); err != nil {
		return err
	}
	if err := a.flush(); err != nil {
		return err
	}
	a.table = len(a.header.Tables) // no rows after files
	name = "files/" + name
	head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: modified, Format: tar.FormatPAX}
	if err := a.tar.WriteHeader(head); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	digest := sha256.New()
	n, err := io.Copy(io.MultiWriter(a.tar, digest), io.LimitReader(from, size))
	if err != nil {
		return fmt.Errorf("copy %s into the backup: %w", name, err)
	}
	fill := bytes.Repeat([]byte("\n"), int(min(size-n, 64<<10)))
	for n < size {
		part := fill[:min(size-n, int64(len(fill)))]
		if _, err := io.MultiWriter(a.tar, digest).Write(part); err != nil {
			return fmt.Errorf("write the backup: %w", err)
		}
		n += int64(len(part))
	}
	a.manifest.Files++
	a.manifest.FileBytes += size
	a.manifest.Bytes += size
	return a.note(sum{Name: name, Size: size, SHA256: hex.EncodeToString(digest.Sum(nil))})
}

// member writes a whole member and notes its checksum.
func (a *Writer) member(name string, data []byte) error {
	if err := a.raw(name, data); err != nil {
		return err
	}
	a.manifest.Bytes += int64(len(data))
	return a.note(sum{Name: name, Size: int64(len(data)), SHA256: digestOf(data)})
}

func digestOf(data []byte) string {
	d := sha256.Sum256(data)
	return hex.EncodeToString(d[:])
}

func (a *Writer) raw(name string, data []byte) error {
	head := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o600, ModTime: a.header.CreatedAt, Format: tar.FormatPAX,
	}
	if err := a.tar.WriteHeader(head); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if _, err := a.tar.Write(data); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

// note keeps a checksum; a full list is written.
func (a *Writer) note(s sum) error {
	a.pending = append(a.pending, s)
	if len(a.pending) < listSize {
		return nil
	}
	return a.list()
}

func (a *Writer) list() error {
	if len(a.pending) == 0 {
		return nil
	}
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	for _, s := range a.pending {
		if err := enc.Encode(s); err != nil {
			return err
		}
	}
	a.pending = a.pending[:0]
	a.manifest.Checksums = append(a.manifest.Checksums, digestOf(lines.Bytes()))
	a.manifest.Bytes += int64(lines.Len())
	return a.raw(listName(len(a.manifest.Checksums)), lines.Bytes())
}

// Close ends the backup and returns what is in it. Without it the file is not valid. The writer below stays open.
func (a *Writer) Close() (Manifest, error) {
	err := errors.Join(a.flush(), a.list())
	if err != nil {
		return a.manifest, err
	}
	text, err := json.MarshalIndent(a.manifest, "", "  ")
	if err != nil {
		return a.manifest, err
	}
	if err := a.raw(manifestName, text); err != nil {
		return a.manifest, err
	}
	if err := errors.Join(a.tar.Close(), a.packed.Close()); err != nil {
		return a.manifest, fmt.Errorf("write the backup: %w", err)
	}
	if a.sealed != nil {
		if err := a.sealed.Close(); err != nil {
			return a.manifest, fmt.Errorf("encrypt the backup: %w", err)
		}
	}
	return a.manifest, nil
}
