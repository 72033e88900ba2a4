package executor

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/storage"
)

// A task hands files on to the tasks behind it by OUT parameters of the type FILE. When it has succeeded, each is read from
// its working directory and goes straight into the storage; a folder becomes a zip archive on the way. The master learns the
// key, the size and the checksum, and gives them to the worker of a task that asks for the file.
//
// The tenant owns the directory and may have put anything into it. No link is followed, at no place of a path, and what the
// tenant could not read is not handed on: the worker may be the superuser, and a hard link to a file of somebody else would
// show its content. Under sudo the tenant itself reads.

const (
	// maxPacked is how many files and folders one archive holds.
	maxPacked = 100_000
	// storePatience is how long a storage that is away is tried again.
	storePatience = time.Minute
	firstPause    = time.Second
)

var (
	errNoFile     = errors.New("no such file in the working directory")
	errFileLink   = errors.New("it is a symbolic link, and links are not followed")
	errFileKind   = errors.New("it is neither a file nor a folder")
	errFileForbid = errors.New("it belongs to somebody else")
	errManyFiles  = fmt.Errorf("more than %d files", maxPacked)
)

// tooMuch says that a file is larger than worker.max-transfer.
type tooMuch struct{ most int64 }

func (e tooMuch) Error() string {
	return fmt.Sprintf("larger than %d bytes (worker.max-transfer)", e.most)
}

// hands reports whether the attempt hands files on.
func (a *attempt) hands() bool {
	return slices.ContainsFunc(a.outs, func(p flow.Property) bool { return p.Type == flow.File })
}

// handTo notes where the files of an attempt go. It fails when there is no storage.
func (e *Executor) handTo(a *attempt, t *doradov1.Task) error {
	if !a.hands() || t.GetDryRun() {
		return nil
	}
	if e.files.store == nil {
		return errors.New("files cannot be handed on: this worker has no storage (see storage.type)")
	}
	day := time.UnixMilli(t.GetFirstSubmitMs()).UTC().Format("20060102")
	a.name = t.GetName()
	a.folder = flow.TransferRun(day, t.GetWorkflowCode(), int(t.GetWorkflowVersion()), t.GetWorkflowInstanceId())
	return nil
}

// settleOut collects what a successful attempt hands on: the parameters it printed, and its files. Killing the attempt ends
// it.
func (e *Executor) settleOut(ctx context.Context, a *attempt, r *result, read func() ([]*doradov1.Param, error)) {
	out, err := read()
	if err == nil && a.folder != "" {
		work, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		e.mu.Lock()
		a.handing = cancel
		e.mu.Unlock()
		out, err = e.handOn(work, a, out)
		e.mu.Lock()
		ending := a.ending
		a.handing = nil
		e.mu.Unlock()
		if err != nil && work.Err() != nil && ending != endNone {
			*r = endedBy(ending, a.timeout, "while its files were stored")
			return
		}
	}
	if err != nil {
		r.outcome, r.message = doradov1.Outcome_FAILED, oneLine(err.Error())
		return
	}
	r.out = out
}

// handOn stores the files that OUT parameters name, and gives the parameters the names under which they are found.
func (e *Executor) handOn(ctx context.Context, a *attempt, out []*doradov1.Param) ([]*doradov1.Param, error) {
	taken := map[string]bool{}
	for i, p := range out {
		if p.GetType() != string(flow.File) || p.GetDirect() != string(flow.Out) {
			continue
		}
		stored, err := e.handOnOne(ctx, a, p, taken)
		if err != nil {
			return nil, fmt.Errorf("parameter %q: %q cannot be handed on: %w", p.GetName(), p.GetValue(), err)
		}
		out[i] = stored
	}
	return out, nil
}

func (e *Executor) handOnOne(ctx context.Context, a *attempt, p *doradov1.Param, taken map[string]bool) (*doradov1.Param, error) {
	name, ok := flow.WorkPath(p.GetValue())
	if !ok {
		return nil, errors.New("it is no path below the working directory")
	}
	for pause := firstPause; ; pause *= 2 {
		m, key, err := e.storeFile(ctx, a, name, taken)
		if err == nil {
			taken[key] = true
			appendLog(a.logPath, a.masks(fmt.Sprintf("handed on %s as %s: %d bytes, sha256 %s\n", name, key, m.size, m.hexSum())))
			return &doradov1.Param{
				Name: flow.TransferKey(a.name, p.GetName()), Value: key, Type: string(flow.File), Direct: string(flow.Out), Sha256: m.hexSum(), Size: m.size,
			}, nil
		}
		if !errors.Is(err, storage.ErrAway) || pause > storePatience/2 {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (a *attempt) masks(text string) string {
	if a.hide == nil {
		return text
	}
	return a.hide.Text(text)
}

// storeFile puts one file or folder into the storage, and its checksums beside it.
func (e *Executor) storeFile(ctx context.Context, a *attempt, name string, taken map[string]bool) (*summed, string, error) {
	f, err := e.take(ctx, a, name)
	if err != nil {
		return nil, "", err
	}
	defer f.close()
	file := name
	if f.size == storage.Unknown {
		file += flow.PackSuffix
	}
	key := a.folder + flow.TransferName(a.name, a.id, file)
	for n := 2; taken[key]; n++ {
		key = a.folder + flow.TransferName(a.name, a.id, fmt.Sprintf("%d_%s", n, path.Base(file)))
	}
	if a.masks(key) != key {
		return nil, "", errors.New("its name holds a secret")
	}
	most := e.cfg.MaxTransfer
	if f.size > most {
		return nil, "", tooMuch{most}
	}
	from, to := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := f.write(&bounded{to, most, most})
		_ = to.CloseWithError(err)
		done <- err
	}()
	m := &summed{r: from, sum: sha256.New(), crc: crc32.NewIEEE()}
	_, err = e.files.store.Put(ctx, key, m, f.size)
	_ = from.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // the writer ends, whatever the store did with the rest
	if wrote := <-done; wrote != nil && !errors.Is(wrote, io.ErrClosedPipe) {
		err = wrote // what went wrong here says more than what the store makes of it
	}
	if err != nil {
		return nil, "", err
	}
	sums := fmt.Sprintf("%08x\nsha256 %s\n", m.crc.Sum32(), m.hexSum())
	_, err = e.files.store.Put(ctx, key+".crc", strings.NewReader(sums), int64(len(sums)))
	return m, key, err
}

// summed measures what is read.
type summed struct {
	r    io.Reader
	sum  hash.Hash
	crc  hash.Hash32
	size int64
}

func (m *summed) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.size += int64(n)
	_, _ = m.sum.Write(p[:n])
	_, _ = m.crc.Write(p[:n])
	return n, err
}

func (m *summed) hexSum() string { return hex.EncodeToString(m.sum.Sum(nil)) }

// bounded is a writer that takes only so much.
type bounded struct {
	w          io.Writer
	left, most int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, tooMuch{b.most}
	}
	return b.w.Write(p)
}

// outgoing is a file or folder that is being handed on.
type outgoing struct {
	size  int64 // storage.Unknown: a folder, which becomes an archive
	write func(io.Writer) error
	close func()
}

// take opens a file or folder of the working directory of an attempt.
func (e *Executor) take(ctx context.Context, a *attempt, name string) (*outgoing, error) {
	if a.viaSudo {
		return e.takeBySudo(ctx, a, name)
	}
	root := a.work.fd
	if root < 0 {
		fd, err := unix.Openat(e.dirs.fd, a.work.name, dirFlags, 0)
		if err != nil {
			return nil, err
		}
		root = fd
		defer func() { _ = unix.Close(fd) }()
	}
	at := root
	defer func() {
		if at != root {
			_ = unix.Close(at)
		}
	}()
	folders, last := path.Split(name)
	for part := range strings.SplitSeq(strings.Trim(folders, "/"), "/") {
		if part == "" {
			continue
		}
		next, err := unix.Openat(at, part, dirFlags, 0)
		if err != nil {
			return nil, openError(err)
		}
		if at != root {
			_ = unix.Close(at)
		}
		at = next
	}
	f, info, err := openTaken(at, last, a.account)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return &outgoing{size: info.Size(), write: func(w io.Writer) error {
			_, err := io.Copy(w, struct{ io.Reader }{f})
			return err
		}, close: func() { _ = f.Close() }}, nil
	}
	return &outgoing{size: storage.Unknown, write: func(w io.Writer) error {
		p := newPacker(w)
		if err := p.folder(ctx, f, "", a.account); err != nil {
			return err
		}
		return p.zip.Close()
	}, close: func() { _ = f.Close() }}, nil
}

// openTaken opens what is in a directory under a name, when it is a file or folder that owner may read.
func openTaken(dir int, name string, owner account) (*os.File, fs.FileInfo, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0) // a pipe must not hold us
	if err != nil {
		return nil, nil, openError(err)
	}
	f := os.NewFile(uintptr(fd), name)
	info, err := f.Stat()
	if err == nil {
		err = takeable(info, owner)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

func openError(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return errNoFile
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EMLINK):
		return errFileLink
	case errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("a part of its path is no folder, or a symbolic link: %w", err)
	case errors.Is(err, unix.ENXIO):
		return errFileKind
	}
	return err
}

// takeable refuses what is no file or folder, and what owner could not read himself.
func takeable(info fs.FileInfo, owner account) error {
	if !info.IsDir() && !info.Mode().IsRegular() {
		return errFileKind
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.self || st.Uid == owner.uid || st.Mode&0o004 != 0 {
		return nil
	}
	if st.Mode&0o040 != 0 && (st.Gid == owner.gid || slices.Contains(owner.groups, st.Gid)) {
		return nil
	}
	return errFileForbid
}

// packer makes a zip archive. The same content makes the same archive, whenever it was written: the sum of the archive is
// that of the content.
type packer struct {
	zip   *zip.Writer
	count int
}

func newPacker(w io.Writer) *packer {
	p := &packer{zip: zip.NewWriter(w)}
	// The archive is written once and read a few times; a task must not wait for the last per cent.
	p.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	return p
}

func (p *packer) add(name string, mode fs.FileMode) (io.Writer, error) {
	if p.count++; p.count > maxPacked {
		return nil, errManyFiles
	}
	if err := storage.CheckAny(name); err != nil {
		return nil, fmt.Errorf("%q cannot be a name of a file that is handed on", name)
	}
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	if mode.IsDir() {
		h.Method = zip.Store
		mode |= fs.ModeDir
	}
	h.SetMode(mode & (fs.ModeDir | 0o777))
	return p.zip.CreateHeader(h)
}

// folder packs what lies in a folder, by names. prefix is its path in the archive, "" or with a slash behind it.
func (p *packer) folder(ctx context.Context, dir *os.File, prefix string, owner account) error {
	names, err := dir.Readdirnames(maxPacked - p.count + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.one(ctx, int(dir.Fd()), name, prefix, owner); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) one(ctx context.Context, dir int, name, prefix string, owner account) error {
	f, info, err := openTaken(dir, name, owner)
	if errors.Is(err, errNoFile) {
		return nil // it went away meanwhile
	}
	if err != nil {
		return fmt.Errorf("%q: %w", prefix+name, err)
	}
	defer func() { _ = f.Close() }()
	if info.IsDir() {
		if _, err := p.add(prefix+name+"/", info.Mode()); err != nil {
			return err
		}
		return p.folder(ctx, f, prefix+name+"/", owner)
	}
	w, err := p.add(prefix+name, info.Mode())
	if err != nil {
		return err
	}
	_, err = io.Copy(w, struct{ io.Reader }{f})
	return err
}

// sudoPack runs as the tenant: it writes an archive of what lies under the path $2 in the folder $1. No part of the path
// may be a link; links below it are in the archive as links, and refused by whoever reads it.
const sudoPack = `cd -- "$1" || exit 1
set -f; IFS=/; path=.
for part in $2; do
	path="$path/$part"
	test ! -L "$path" || exit 3
done
test -e "$path" || exit 2
unset IFS
order=; tar --sort=name --hard-dereference -cf /dev/null -T /dev/null 2>/dev/null && order='--sort=name --hard-dereference'
LC_ALL=C exec tar $order -cf - "$path"
`

// takeBySudo has the tenant read.
func (e *Executor) takeBySudo(ctx context.Context, a *attempt, name string) (*outgoing, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, "sudo", "-n", "-u", a.account.name, "--", "/bin/sh", "-c", sudoPack, "dorado", a.dir, name)
	cmd.WaitDelay = time.Second
	var problem bytes.Buffer
	cmd.Stderr = &limitedWriter{to: &problem, left: maxRemoteLine}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, err
	}
	wait := sync.OnceValue(func() error {
		err := cmd.Wait()
		code, failed := errors.AsType[*exec.ExitError](err)
		switch {
		case failed && code.ExitCode() == 2:
			return errNoFile
		case failed && code.ExitCode() == 3:
			return errFileLink
		case err != nil:
			return fmt.Errorf("%w: %s", err, oneLine(problem.String()))
		}
		return nil
	})
	end := func() {
		cancel()
		_ = wait()
	}
	in := tar.NewReader(out)
	first, err := in.Next()
	if err != nil {
		if waited := wait(); waited != nil {
			err = waited
		}
		end()
		return nil, err
	}
	all := &outgoing{size: storage.Unknown, close: end}
	switch first.Typeflag {
	case tar.TypeReg:
		all.size = first.Size
		all.write = func(w io.Writer) error {
			_, err := io.Copy(w, in) // the padding behind it matters to nobody
			return err
		}
	case tar.TypeDir:
		all.write = func(w io.Writer) error {
			err := packTar(w, in, first.Name)
			if err == nil {
				_, err = io.Copy(io.Discard, out) // so that the other side can end
			}
			if err != nil {
				return err
			}
			return wait()
		}
	default:
		end()
		return nil, kindError(first)
	}
	return all, nil
}

func kindError(h *tar.Header) error {
	if h.Typeflag == tar.TypeSymlink {
		return errFileLink
	}
	return errFileKind
}

// packTar makes a zip archive of what lies in the folder root of a tar archive.
func packTar(w io.Writer, in *tar.Reader, root string) error {
	p := newPacker(w)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return p.zip.Close()
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(h.Name, strings.TrimSuffix(root, "/")+"/")
		if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir {
			return fmt.Errorf("%q: %w", name, kindError(h))
		}
		into, err := p.add(name, h.FileInfo().Mode())
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.Copy(into, in); err != nil {
				return err
			}
		}
	}
}
