package boot

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyWhatNobodyWritesOfTheProgramIsForgotten(t *testing.T) {
	t.Parallel()
	const own = "/usr/bin/dorado"
	for line, want := range map[string]uintptr{
		"00400000-02000000 r-xp 00000000 fd:00 7 /usr/bin/dorado\n":  0x1c00000,
		"02000000-05000000 r--p 01c00000 fd:00 7 /usr/bin/dorado\n":  0x3000000,
		"05000000-05100000 rw-p 04c00000 fd:00 7 /usr/bin/dorado\n":  0,
		"02000000-05000000 r--p 01c00000 fd:00 7 /usr/lib/libc.so\n": 0,
		"7f0000000000-7f0000001000 rw-p 00000000 00:00 0\n":          0,
		"05000000-02000000 r--p 01c00000 fd:00 7 /usr/bin/dorado\n":  0,
		"zz-yy r--p 01c00000 fd:00 7 /usr/bin/dorado\n":              0,
		"": 0,
	} {
		_, length, ok := readOnly(line, own)
		require.Equal(t, want, length, line)
		require.Equal(t, want != 0, ok, line)
	}
}

func TestTheProgramGoesOnAfterItWasForgotten(t *testing.T) {
	t.Parallel()
	forgetProgram("/proc/self/maps")
	forgetProgram(filepath.Join(t.TempDir(), "none"))
	_, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
}
