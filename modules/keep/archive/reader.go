package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// DefaultMaxUnpacked is the size up to which every backup is unpacked; a larger one only as far as its packed size
// makes that likely.
const DefaultMaxUnpacked = 64 << 30

// likely is how many times its packed size a large backup may have.
const likely = 1000

// Visitor takes what is in a backup, in the order of the file. Nil functions skip.
type Visitor struct {
	Header func(Header) error
	Row    func(table string, row []byte) error // row is valid until the call returns
	File   func(name string, size int64, from io.Reader) error
}

// Options say how to read.
type Options struct {
	Passphrase  string
	MaxUnpacked int64 // bytes; 0 = DefaultMaxUnpacked, or likely times the packed size when that is more
}

// Read reads a whole backup, checks all of it, and hands its contents to v as it meets them. Until it returns nil nothing
// is proven of what v was given.
func Read(ctx context.Context, from io.Reader, o Options, v Visitor) (Header, Manifest, error) {
	r := &reader{ctx: ctx, v: v, o: o, seen: Manifest{Rows: map[string]int64{}, Checksums: []string{}}, table: -1}
	err := r.open(from)
	if err == nil {
		defer r.unpacked.Close()
		err = r.all()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: it ends in the middle", ErrDamaged)
	}
	return r.header, r.seen, err
}

type reader struct {
	ctx context.Context
	v   Visitor
	o   Options

	packed   *counted
	unpacked *zstd.Decoder
	tar      *tar.Reader
	header   Header

	table   int // index of the table whose rows come
	piece   int
	files   bool // rows are over
	pending []sum
	lists   int
	seen    Manifest
}

// counted counts what passes and stops at the end of ctx.
type counted struct {
	ctx  context.Context
	from io.Reader
	n    int64
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}

// bounded fails when more is unpacked than the packed size explains.
type bounded struct {
	from   io.Reader
	packed *counted
	limit  int64
	n      int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.n += int64(n)
	limit := b.limit
	if limit == 0 {
		limit = max(DefaultMaxUnpacked, likely*b.packed.n)
	}
	if b.n > limit {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return n, err
}

func (r *reader) open(from io.Reader) error {
	r.packed = &counted{ctx: r.ctx, from: from}
	in := bufio.NewReaderSize(r.packed, 256<<10)
	plain := io.Reader(in)
	head, err := in.Peek(22)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.HasPrefix(head, []byte("age-encryption.org/v1\n")) {
		if r.o.Passphrase == "" {
			return fmt.Errorf("%w: the backup is encrypted", ErrPassphrase)
		}
		id, err := age.NewScryptIdentity(r.o.Passphrase)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPassphrase, err)
		}
		plain, err = age.Decrypt(in, id)
		if _, wrong := errors.AsType[*age.NoIdentityMatchError](err); wrong {
			return ErrPassphrase
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	} else if !bytes.HasPrefix(head, []byte{0x28, 0xB5, 0x2F, 0xFD}) {
		return ErrNoBackup
	}
	r.unpacked, err = zstd.NewReader(plain, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window), zstd.WithDecoderMaxMemory(1<<40))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	r.tar = tar.NewReader(&bounded{from: r.unpacked, packed: r.packed, limit: r.o.MaxUnpacked})
	return nil
}

// broken gives errors of the layers below a name, and leaves those that have one.
func broken(err error) error {
	for _, known := range []error{ErrNoBackup, ErrDamaged, ErrNewer, ErrPassphrase, ErrTooLarge, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

func (r *reader) all() error {
	first := true
	for {
		head, err := r.tar.Next()
		if errors.Is(err, io.EOF) && first {
			return ErrNoBackup
		}
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: it ends in the middle", ErrDamaged)
		}
		if err != nil {
			return broken(err)
		}
		if head.Typeflag != tar.TypeReg || head.Size < 0 {
			return fmt.Errorf("%w: member %q is no regular file", ErrDamaged, head.Name)
		}
		if first != (head.Name == headerName) {
			if first {
				return ErrNoBackup
			}
			return fmt.Errorf("%w: member %q comes twice", ErrDamaged, head.Name)
		}
		first = false
		last, err := r.member(head)
		if err != nil {
			return err
		}
		if last {
			return r.end()
		}
	}
}

// member reads one member; last is the manifest.
func (r *reader) member(head *tar.Header) (last bool, err error) {
	kind, rest, _ := strings.Cut(head.Name, "/")
	switch {
	case head.Name == headerName:
		return false, r.readHeader(head)
	case head.Name == manifestName:
		return true, r.readManifest(head)
	case kind == "checksums":
		return false, r.readList(head)
	case kind == "tables":
		return false, r.readPiece(head)
	case kind == "files":
		return false, r.readFile(head, rest)
	}
	return false, fmt.Errorf("%w: member %q", ErrDamaged, head.Name)
}

// whole reads a member into memory.
func (r *reader) whole(head *tar.Header, limit int64) ([]byte, error) {
	if head.Size > limit {
		return nil, fmt.Errorf("%w: member %q has %d bytes", ErrDamaged, head.Name, head.Size)
	}
	data, err := io.ReadAll(r.tar)
	if err != nil {
		return nil, broken(err)
	}
	return data, nil
}

func (r *reader) readHeader(head *tar.Header) error {
	data, err := r.whole(head, maxHeader)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &r.header); err != nil {
		return fmt.Errorf("%w: its header: %w", ErrNoBackup, err)
	}
	if err := r.header.check(); err != nil {
		return err
	}
	for _, t := range r.header.Tables {
		r.seen.Rows[t.Name] = 0
	}
	if err := r.note(sum{Name: head.Name, Size: head.Size, SHA256: digestOf(data)}); err != nil {
		return err
	}
	if r.v.Header != nil {
		return r.v.Header(r.header)
	}
	return nil
}

// note keeps the checksum of a member until the list that names it.
func (r *reader) note(s sum) error {
	if len(r.pending) == listSize {
		return fmt.Errorf("%w: the checksums of %q are missing", ErrDamaged, s.Name)
	}
	r.pending = append(r.pending, s)
	r.seen.Bytes += s.Size
	return nil
}

func (r *reader) readPiece(head *tar.Header) error {
	at := slices.IndexFunc(r.header.Tables, func(t Table) bool { return strings.HasPrefix(head.Name, "tables/"+t.Name+"/") })
	if at != r.table {
		r.piece = 0
	}
	r.piece++
	if r.files || at < 0 || at < r.table || head.Name != pieceName(r.header.Tables[at].Name, r.piece) {
		return fmt.Errorf("%w: member %q stands where it should not", ErrDamaged, head.Name)
	}
	r.table = at
	table := r.header.Tables[at].Name
	digest := sha256.New()
	lines := bufio.NewReaderSize(io.TeeReader(r.tar, digest), 64<<10)
	var long []byte
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, line...); len(long) > maxLine {
				return fmt.Errorf("%w: a row of table %s is too long", ErrDamaged, table)
			}
			continue
		}
		if errors.Is(err, io.EOF) && len(line)+len(long) == 0 {
			break
		}
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: a row of table %s is cut", ErrDamaged, table)
		}
		if err != nil {
			return broken(err)
		}
		if len(long) > 0 {
			long = append(long, line...)
			line = long
		}
		if r.v.Row != nil {
			if err := r.v.Row(table, line[:len(line)-1]); err != nil {
				return err
			}
		}
		r.seen.Rows[table]++
		if cap(long) > pieceSize {
			long = nil
		}
		long = long[:0]
	}
	return r.note(sum{Name: head.Name, Size: head.Size, SHA256: hex.EncodeToString(digest.Sum(nil))})
}

func (r *reader) readFile(head *tar.Header, name string) error {
	if err := CheckPath(name); err != nil {
		return err
	}
	r.files = true
	digest := sha256.New()
	content := io.TeeReader(r.tar, digest)
	if r.v.File != nil {
		if err := r.v.File(name, head.Size, content); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return broken(err)
	}
	r.seen.Files++
	r.seen.FileBytes += head.Size
	return r.note(sum{Name: head.Name, Size: head.Size, SHA256: hex.EncodeToString(digest.Sum(nil))})
}

func (r *reader) readList(head *tar.Header) error {
	r.lists++
	if head.Name != listName(r.lists) || r.lists > maxLists {
		return fmt.Errorf("%w: member %q stands where it should not", ErrDamaged, head.Name)
	}
	data, err := r.whole(head, listSize*(maxPath+1024))
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	for _, want := range r.pending {
		var got sum
		if err := dec.Decode(&got); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, head.Name, err)
		}
		if got != want {
			return fmt.Errorf("%w: the checksum of %q is not that of the list", ErrDamaged, want.Name)
		}
	}
	if dec.More() {
		return fmt.Errorf("%w: %s names members that are missing", ErrDamaged, head.Name)
	}
	r.pending = r.pending[:0]
	r.seen.Checksums = append(r.seen.Checksums, digestOf(data))
	r.seen.Bytes += head.Size
	return nil
}

func (r *reader) readManifest(head *tar.Header) error {
	if len(r.pending) > 0 {
		return fmt.Errorf("%w: the last checksums are missing", ErrDamaged)
	}
	data, err := r.whole(head, maxLists*80+maxHeader)
	if err != nil {
		return err
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("%w: its manifest: %w", ErrDamaged, err)
	}
	switch {
	case !slices.Equal(m.Checksums, r.seen.Checksums):
		return fmt.Errorf("%w: a list of checksums is not that of the manifest", ErrDamaged)
	case !maps.Equal(m.Rows, r.seen.Rows):
		return fmt.Errorf("%w: the numbers of rows are not those of the manifest", ErrDamaged)
	case m.Files != r.seen.Files || m.FileBytes != r.seen.FileBytes || m.Bytes != r.seen.Bytes:
		return fmt.Errorf("%w: the numbers of files and bytes are not those of the manifest", ErrDamaged)
	}
	return nil
}

// end makes sure that nothing follows the manifest.
func (r *reader) end() error {
	switch _, err := r.tar.Next(); {
	case err == nil:
		return fmt.Errorf("%w: something follows the manifest", ErrDamaged)
	case !errors.Is(err, io.EOF):
		return broken(err)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(r.unpacked, 1<<20))
	if err != nil {
		return broken(err)
	}
	if n == 1<<20 {
		return fmt.Errorf("%w: something follows the manifest", ErrDamaged)
	}
	return nil
}
