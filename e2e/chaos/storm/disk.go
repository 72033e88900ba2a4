package storm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Disk is a small file system of its own, which can be filled and frozen.
type Disk struct {
	Dir    string
	image  string
	frozen bool
}

// MakeDisk makes an ext4 file system of so many megabytes and mounts it. It needs root and loop devices.
func MakeDisk(ctx context.Context, dir string, megabytes int) (*Disk, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("only root mounts file systems")
	}
	d := &Disk{Dir: dir, image: dir + ".img"}
	f, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(int64(megabytes)<<20), f.Close(), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1", d.image}, {"mount", "-o", "loop", d.image, dir}} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w: %s", args[0], err, strings.TrimSpace(string(out))), os.Remove(d.image))
		}
	}
	return d, os.Chmod(dir, 0o755)
}

func (d *Disk) filler() string { return filepath.Join(d.Dir, "filler") }

// Fill takes all the space that is left.
func (d *Disk) Fill() error {
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.Dir, &fs); err != nil {
		return errors.Join(err, f.Close())
	}
	err = syscall.Fallocate(int(f.Fd()), 0, 0, int64(fs.Bfree)*fs.Bsize)
	block := make([]byte, 4096)
	for err == nil || errors.Is(err, syscall.ENOSPC) { // what fallocate rounded off
		if _, writeErr := f.Write(block); writeErr != nil {
			err = nil
			if !errors.Is(writeErr, syscall.ENOSPC) {
				err = writeErr
			}
			break
		}
		if _, err := f.Seek(0, 2); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(err, f.Close())
}

// Free gives the space back.
func (d *Disk) Free() error { return os.Remove(d.filler()) }

const (
	fiFreeze = 0xc0045877
	fiThaw   = 0xc0045878
)

// Freeze makes every write and fsync hang.
func (d *Disk) Freeze() error {
	d.frozen = true
	return d.control(fiFreeze)
}

// Thaw lets them go on.
func (d *Disk) Thaw() error {
	if !d.frozen {
		return nil
	}
	d.frozen = false
	return d.control(fiThaw)
}

func (d *Disk) control(what uintptr) error {
	fd, err := syscall.Open(d.Dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Close(fd) }()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), what, 0); errno != 0 {
		return errno
	}
	return nil
}

// Close unmounts and removes it.
func (d *Disk) Close(ctx context.Context) error {
	err := d.Thaw()
	// What still runs below it keeps it alive until it ends; the name goes at once.
	for range 20 {
		if umount := syscall.Unmount(d.Dir, syscall.MNT_DETACH); umount == nil || !errors.Is(umount, syscall.EBUSY) {
			err = errors.Join(err, umount)
			break
		}
		if sleep(ctx, 50*time.Millisecond) != nil {
			break
		}
	}
	return errors.Join(err, os.Remove(d.image))
}
