package dial_test

import (
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/dial"
)

func TestCredentialsOfTheCloudAreOutOfReach(t *testing.T) {
	t.Parallel()
	for address, allowed := range map[string]bool{
		"169.254.169.254": false, "::ffff:169.254.169.254": false, "fe80::1": false, "fd00:ec2::254": false, "100.100.100.200": false,
		"224.0.0.1": false, "255.255.255.255": false, "192.0.0.192": false,
		"127.0.0.1": true, "10.0.0.1": true, "192.168.1.2": true, "8.8.8.8": true, "::1": true, "fd00::1": true,
	} {
		err := dial.Check(netip.MustParseAddr(address))
		require.Equal(t, allowed, err == nil, address)
	}
	_, err := dial.New(time.Second).DialContext(t.Context(), "tcp", "169.254.169.254:80")
	require.ErrorIs(t, err, dial.ErrForbidden, "before anything is sent")
}

func TestTheFirstHostThatAnswersIsTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	conn, err := dial.Hosts(t.Context(), []string{closed.Addr().String(), "127.0.0.1"}, n, time.Second)
	require.NoError(t, err)
	require.Equal(t, l.Addr().String(), conn.RemoteAddr().String())
	require.NoError(t, conn.Close())
	_, err = dial.Hosts(t.Context(), []string{closed.Addr().String()}, 1, time.Second)
	require.Error(t, err)
}

func TestAnAddressKeepsItsOwnPortAndBracketsAreNotDoubled(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"db": "db:5432", "db:1": "db:1", "[::1]": "[::1]:5432", "::1": "[::1]:5432", "[::1]:9": "[::1]:9", "10.0.0.1": "10.0.0.1:5432",
	} {
		require.Equal(t, want, dial.Join(host, 5432), host)
	}
}
