package storm

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// whose returns the name of the process that holds the other end of a loopback connection, "" when none of them does.
func whose(remote net.Addr, pids map[string]int) string {
	addr, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return ""
	}
	inode := inodeOf(addr)
	if inode == "" {
		return ""
	}
	want := "socket:[" + inode + "]"
	for name, pid := range pids {
		fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && to == want {
				return name
			}
		}
	}
	return ""
}

// inodeOf finds a local IPv4 socket in the kernel's table.
func inodeOf(addr netip.AddrPort) string {
	ip := addr.Addr().Unmap().As4()
	// The address is printed as one number in the machine's order, the port as it is.
	local := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip[:]), addr.Port())
	raw, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) > 9 && f[1] == local && f[9] != "0" {
			return f[9]
		}
	}
	return ""
}
