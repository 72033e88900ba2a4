package storm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The code that stands in for the vDSO's clock_gettime: it asks the kernel, and adds an offset to CLOCK_REALTIME.
//
//	mov  eax, 228            ; clock_gettime(edi, rsi)
//	syscall
//	test edi, edi            ; CLOCK_REALTIME is 0
//	jne  out
//	mov  rcx, [rip+offset]   ; seconds; rcx is ours after a system call
//	add  [rsi], rcx
//	out: ret
var clockCode = []byte{
	0xb8, 0xe4, 0x00, 0x00, 0x00,
	0x0f, 0x05,
	0x85, 0xff,
	0x75, 0x0a,
	0x48, 0x8b, 0x0d, 0x06, 0x00, 0x00, 0x00,
	0x48, 0x01, 0x0e,
	0xc3,
}

// clockOffset is where the offset lies behind the start of the function: at the next address that eight divides.
const clockOffset = 24

// Clock shifts the time of one process.
type Clock struct {
	pid int
	at  int64 // address of the offset
}

// TakeClock patches a process, which stops for a moment.
func TakeClock(pid int) (*Clock, error) {
	start, image, err := vdso(pid)
	if err != nil {
		return nil, err
	}
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, fmt.Errorf("vDSO: %w", err)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return nil, fmt.Errorf("vDSO: %w", err)
	}
	for _, s := range symbols {
		if s.Name != "__vdso_clock_gettime" || s.Size < clockOffset+8 || s.Value%8 != 0 {
			continue
		}
		c := &Clock{pid: pid, at: start + int64(s.Value) + clockOffset}
		code := make([]byte, clockOffset+8)
		copy(code, clockCode)
		if err := c.patch(start, int64(len(image)), start+int64(s.Value), code); err != nil {
			return nil, err
		}
		return c, nil
	}
	return nil, errors.New("the vDSO has no clock_gettime that could be patched")
}

// patch writes code while no thread is inside the vDSO.
func (c *Clock) patch(vdso, size, at int64, code []byte) error {
	for range 50 {
		if err := syscall.Kill(c.pid, syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
		clear, err := c.outside(vdso, vdso+size)
		if err == nil && clear {
			err = c.write(at, code)
		}
		if contErr := syscall.Kill(c.pid, syscall.SIGCONT); contErr != nil {
			return contErr
		}
		if err != nil || clear {
			return err
		}
		time.Sleep(3 * time.Millisecond)
	}
	return errors.New("the process never leaves its vDSO")
}

// outside says whether every thread stands still and none is between the addresses.
func (c *Clock) outside(from, to int64) (bool, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", c.pid))
	if err != nil || len(files) == 0 {
		return false, errors.Join(err, os.ErrProcessDone)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return false, err
		}
		f := strings.Fields(string(raw))
		if len(f) == 0 || f[0] == "running" {
			return false, nil
		}
		pc, err := strconv.ParseInt(strings.TrimPrefix(f[len(f)-1], "0x"), 16, 64)
		if err != nil {
			return false, err
		}
		if pc >= from && pc < to {
			return false, nil
		}
	}
	return true, nil
}

func (c *Clock) write(at int64, b []byte) error {
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", c.pid), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, at)
	return errors.Join(err, f.Close())
}

// Shift makes the process see a time that is this much later than it is; whole seconds.
func (c *Clock) Shift(by time.Duration) error {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(int64(by/time.Second)))
	return c.write(c.at, b[:])
}

// vdso reads the vDSO of a process.
func vdso(pid int) (start int64, image []byte, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, nil, err
	}
	for line := range strings.Lines(string(raw)) {
		if !strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			continue
		}
		var from, to int64
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err != nil {
			return 0, nil, err
		}
		f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			return 0, nil, err
		}
		image := make([]byte, to-from)
		_, err = io.ReadFull(io.NewSectionReader(f, from, to-from), image)
		return from, image, errors.Join(err, f.Close())
	}
	return 0, nil, errors.New("the process has no vDSO")
}
