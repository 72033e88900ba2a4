package rpc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"dorado/modules/rpc/doradov1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority signs certificates for both ends, as the operator of a cluster does.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	return &authority{cert, key}
}

// config is what one end uses: a certificate of this authority, and trust in that of other.
func (a *authority) config(t *testing.T, other *authority) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "member"}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"member"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(other.cert)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}},
		ClientCAs: pool, RootCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, ServerName: "member",
	}
}

// serve listens until the test ends; each stream answers a heartbeat with Alive.
func serve(t *testing.T, cfg Config) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l, err := Listen(ctx, "127.0.0.1:0", cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, func(_ context.Context, s MasterStream) { answer(s) }) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return l.Addr()
}

func answer(s MasterStream) {
	for {
		frame, err := s.Recv()
		if err != nil {
			return
		}
		if frame.GetHeartbeat() != nil {
			_ = s.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Alive{Alive: &doradov1.Alive{}}})
		}
	}
}

func dial(addr string, cfg Config) (WorkerStream, error) {
	return TCPDialer{Addr: addr, Config: cfg, Timeout: 20 * time.Second}.Dial()
}

// welcome dials and hangs up.
func welcome(t *testing.T, addr string, cfg Config) {
	t.Helper()
	w, err := dial(addr, cfg)
	require.NoError(t, err)
	require.NoError(t, w.Close())
}

func secret(text string) Config { return Config{Secret: []byte(text)} }

func TestStreamsOfEveryKindCarryFramesInOrderUntilTheyEnd(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	for name, open := range map[string]func(t *testing.T) WorkerStream{
		"in process": func(t *testing.T) WorkerStream {
			t.Helper()
			w, m := Pipe()
			done := make(chan struct{})
			go func() { defer close(done); answer(m) }()
			t.Cleanup(func() { _ = w.Close(); <-done })
			return w
		},
		"TCP": func(t *testing.T) WorkerStream {
			t.Helper()
			w, err := dial(serve(t, secret("s")), secret("s"))
			require.NoError(t, err)
			return w
		},
		"TLS": func(t *testing.T) WorkerStream {
			t.Helper()
			cfg := Config{Secret: []byte("s"), TLS: ours.config(t, ours)}
			w, err := dial(serve(t, cfg), cfg)
			require.NoError(t, err)
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			for range 100 {
				require.NoError(t, w.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Heartbeat{Heartbeat: &doradov1.Heartbeat{Slots: 1}}}))
			}
			for range 100 {
				frame, err := w.Recv()
				require.NoError(t, err)
				require.NotNil(t, frame.GetAlive())
			}
			require.NoError(t, w.Close())
			require.NoError(t, w.Close(), "closing twice does no harm")
			require.ErrorIs(t, w.Send(&doradov1.WorkerFrame{}), ErrClosed)
			_, err := w.Recv()
			require.ErrorIs(t, err, ErrClosed)
		})
	}
}

func TestAPeerWithAnotherSecretIsTurnedAwayByBothEnds(t *testing.T) {
	t.Parallel()
	addr := serve(t, secret("right"))
	_, err := dial(addr, secret("wrong"))
	require.ErrorIs(t, err, ErrSecret)
	require.ErrorContains(t, err, addr)
	welcome(t, addr, secret("right"))
	_, err = Listen(t.Context(), "127.0.0.1:0", Config{}, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "cluster.secret")
}

func TestTheSecretIsCheckedUnderTLSToo(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	addr := serve(t, Config{Secret: []byte("right"), TLS: ours.config(t, ours)})
	_, err := dial(addr, Config{Secret: []byte("wrong"), TLS: ours.config(t, ours)})
	require.ErrorIs(t, err, ErrSecret)
}

func TestAMemberWithACertificateOfAnotherAuthorityIsTurnedAway(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t), newAuthority(t)
	addr := serve(t, Config{Secret: []byte("s"), TLS: ours.config(t, ours)})
	for name, cfg := range map[string]*tls.Config{
		"the master does not trust it": theirs.config(t, ours),
		"it does not trust the master": ours.config(t, theirs),
		"it shows none":                {MinVersion: tls.VersionTLS13, RootCAs: ours.config(t, ours).RootCAs, ServerName: "member"},
	} {
		_, err := dial(addr, Config{Secret: []byte("s"), TLS: cfg})
		require.ErrorContains(t, err, "certificate", name)
		require.NotErrorIs(t, err, ErrSecret, name)
	}
}

func TestPlainAndEncryptedEndsDoNotUnderstandEachOther(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	encrypted := Config{Secret: []byte("s"), TLS: ours.config(t, ours)}
	_, err := dial(serve(t, encrypted), secret("s"))
	require.Error(t, err, "a plain worker")
	_, err = dial(serve(t, secret("s")), encrypted)
	require.Error(t, err, "a plain master")
}

// raw connects without any manners.
func raw(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	return conn
}

func TestAStrangerWhoTalksGarbageIsHungUpOnAndLearnsNothing(t *testing.T) {
	t.Parallel()
	addr := serve(t, secret("s"))
	conn := raw(t, addr)
	_, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: example\r\nUser-Agent: somebody\r\n\r\n"))
	require.NoError(t, err)
	said, _ := io.ReadAll(conn) // the master's own greeting, then the end
	require.Len(t, said, len(magic)+nonceSize, "no proof is shown to a stranger")
	welcome(t, addr, secret("s")) // others are served
}

func TestAMasterThatIsNoneIsSaidSo(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}()
	_, err = dial(l.Addr().String(), secret("s"))
	require.ErrorIs(t, err, ErrSecret)
	require.NoError(t, l.Close())
	<-done
}

func TestAFrameOverTheLimitEndsTheStream(t *testing.T) {
	t.Parallel()
	conn := raw(t, serve(t, secret("s")))
	require.NoError(t, handshake(conn, []byte("s"), workerRole))
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, err := conn.Write(binary.BigEndian.AppendUint32(nil, MaxFrame+1))
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
}

func TestAPeerThatHangsUpIsToldFromAStreamThatThisEndCloses(t *testing.T) {
	t.Parallel()
	addr := serve(t, secret("s"))
	w, err := dial(addr, secret("s"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = w.Recv()
	require.ErrorIs(t, err, ErrClosed)
	require.NotErrorIs(t, err, ErrHungUp)

	ours, theirs := net.Pipe()
	w = workerWire{newWire(ours)}
	require.NoError(t, theirs.Close())
	_, err = w.Recv()
	require.ErrorIs(t, err, ErrHungUp)
	require.NoError(t, w.Close())
}

func TestAConnectionThatIsResetIsNotOneThatThePeerEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    func(t *testing.T, peer *net.TCPConn)
		writes bool // before the end is read
		hungUp bool
	}{
		"an end in order": {end: func(t *testing.T, peer *net.TCPConn) { require.NoError(t, peer.Close()) }, hungUp: true},
		"an end in order, and writes to whom nobody hears": {
			end: func(t *testing.T, peer *net.TCPConn) { require.NoError(t, peer.Close()) }, writes: true, hungUp: true,
		},
		"a reset": {end: func(t *testing.T, peer *net.TCPConn) {
			require.NoError(t, peer.SetLinger(0))
			require.NoError(t, peer.Close())
		}},
		"a reset, and writes": {end: func(t *testing.T, peer *net.TCPConn) {
			require.NoError(t, peer.SetLinger(0))
			require.NoError(t, peer.Close())
		}, writes: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer func() { require.NoError(t, l.Close()) }()
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
			require.NoError(t, err)
			accepted, err := l.Accept()
			require.NoError(t, err)
			peer, ok := accepted.(*net.TCPConn)
			require.True(t, ok)
			master := masterWire{newWire(conn)}
			c.end(t, peer)
			if c.writes {
				require.Eventually(t, func() bool {
					return errors.Is(master.Send(&doradov1.MasterFrame{}), ErrClosed)
				}, 10*time.Second, time.Millisecond)
			}
			_, err = master.Recv()
			require.ErrorIs(t, err, ErrClosed)
			require.Equal(t, c.hungUp, errors.Is(err, ErrHungUp), "%v", err)
			require.NoError(t, master.Close())
		})
	}
}
