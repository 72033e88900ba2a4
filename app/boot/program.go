package boot

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// forgetProgram unmaps the pages of the program's own file that starting has touched, half of a standalone's memory: the
// initialisation of a dozen database drivers and tables of texts that nobody looks at again. What is needed comes back from
// the page cache, a microsecond a page. maps is the list of mappings as proc(5) writes it; what cannot be read or done is left.
func forgetProgram(maps string) {
	own, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	text, err := os.ReadFile(maps)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		if start, length, ok := readOnly(line, own); ok {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, start, length, unix.MADV_DONTNEED) // unix.Madvise takes memory of Go
		}
	}
}

// readOnly reads a line of the list: where a mapping of the file begins that nobody writes, and how long it is.
func readOnly(line, file string) (start, length uintptr, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || f[5] != file || f[1] != "r--p" && f[1] != "r-xp" {
		return 0, 0, false
	}
	from, to, _ := strings.Cut(f[0], "-")
	begin, err := strconv.ParseUint(from, 16, 64)
	if err != nil {
		return 0, 0, false
	}
	end, err := strconv.ParseUint(to, 16, 64)
	if err != nil || end <= begin {
		return 0, 0, false
	}
	return uintptr(begin), uintptr(end - begin), true
}
