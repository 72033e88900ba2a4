package executor

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// action is what the kernel knows as struct sigaction, with the longest mask of all architectures. Its fields have not the
// same order everywhere, so it is only cleared or copied.
type action [64]byte

// DeafToChildren has the kernel send this process no SIGCHLD, which is what it does where nobody asked for any. The runtime of
// Go asks for every signal, and each end of a child then wakes a thread, which does nothing. A pidfd tells of the end as well.
// Children stay zombies until they are waited for, unlike with the signal ignored.
func DeafToChildren() { rtSigaction(unix.SIGCHLD, &action{}, nil) }

// HearChildren undoes it: what is done about SIGCHLD is again what the runtime does about the signals that it gets.
func HearChildren() {
	var a action
	if rtSigaction(unix.SIGURG, nil, &a) { // which the runtime itself needs, so it is always as the runtime wants it
		rtSigaction(unix.SIGCHLD, &a, nil)
	}
}

func rtSigaction(sig unix.Signal, to, was *action) bool {
	const maskBytes = 8 // of the kernel's sigset_t on all architectures that Go knows but MIPS, where this fails and nothing changes
	_, _, failed := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(was)), maskBytes, 0, 0)
	return failed == 0
}
