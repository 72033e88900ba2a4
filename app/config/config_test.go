package config_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/config"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dorado.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestTheReferenceNamesEveryKeyWithItsDefault(t *testing.T) {
	t.Parallel()
	defaults, err := config.Load(config.Source{})
	require.NoError(t, err)
	text := strings.NewReplacer("<data>", defaults.Data, "<host>", defaults.Worker.Name,
		"<cores>", strconv.Itoa(runtime.NumCPU()), "<2 x cores>", strconv.Itoa(2*runtime.NumCPU())).Replace(config.Reference())
	loaded, err := config.Load(config.Source{File: write(t, text)})
	require.NoError(t, err)
	want, err := defaults.Print()
	require.NoError(t, err)
	got, err := loaded.Print()
	require.NoError(t, err)
	require.Equal(t, want, got)
	for line := range strings.SplitSeq(want, "\n") {
		key, _, _ := strings.Cut(line, ": ")
		last := key[strings.LastIndexByte(key, '.')+1:]
		require.Contains(t, config.Reference(), last+":", "the reference does not name %s", key)
	}
}

func TestFlagsBeatVariablesBeatTheFile(t *testing.T) {
	t.Parallel()
	file := write(t, "listen: 127.0.0.1:1\nworker: {slots: 1, heartbeat: 7s}\ndata: "+t.TempDir())
	c, err := config.Load(config.Source{
		File: file, Environ: []string{"DORADO_LISTEN=127.0.0.1:2", "DORADO_WORKER_SLOTS=2", "HOME=/x"},
		Flags: map[string]string{"worker.slots": "3"},
	})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:2", c.Listen)
	require.Equal(t, 3, c.Worker.Slots)
	require.Equal(t, "7s", c.Worker.Heartbeat.String())
}

func TestEveryMistakeIsNamed(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Source{File: write(t, "lisen: x"), Environ: []string{"DORADO_WORKER_SLOT=1"}, Flags: map[string]string{"no": "x"}})
	require.ErrorContains(t, err, "lisen")
	require.ErrorContains(t, err, "DORADO_WORKER_SLOT")
	require.ErrorContains(t, err, "no:")
	_, err = config.Load(config.Source{Flags: map[string]string{"listen": "nonsense", "worker.slots": "0", "log.level": "loud", "roles": "king"}})
	for _, key := range []string{"listen", "worker.slots", "log.level", "roles"} {
		require.ErrorContains(t, err, key)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Source{Environ: []string{
		"DORADO_CLUSTER_SECRET=hush", "DORADO_CLUSTER_ZOOKEEPER_USER=u", "DORADO_CLUSTER_ZOOKEEPER_PASSWORD=hush",
	}})
	require.NoError(t, err)
	text, err := c.Print()
	require.NoError(t, err)
	require.NotContains(t, text, "hush")
	require.Equal(t, "hush", c.Cluster.Secret.Reveal())
}

func TestTheRegistryFollowsFromWhatIsNamed(t *testing.T) {
	t.Parallel()
	kind := func(flags map[string]string) string {
		c, err := config.Load(config.Source{Flags: flags})
		require.NoError(t, err)
		return c.Cluster.Kind()
	}
	require.Equal(t, config.RegistryNone, kind(nil))
	require.Equal(t, config.RegistryZookeeper, kind(map[string]string{"cluster.zookeeper.servers": "a:2181,b:2181"}))
	require.Equal(t, config.RegistryNone, kind(map[string]string{"cluster.zookeeper.servers": "a:2181", "cluster.registry": "none"}))
	require.Equal(t, config.RegistryPostgres, kind(map[string]string{"cluster.registry": "postgres"}))
}

func TestMistakesInTheClusterAreNamedWithTheirReason(t *testing.T) {
	t.Parallel()
	for want, flags := range map[string]map[string]string{
		"cluster.registry: \"etcd\" is none of":               {"cluster.registry": "etcd"},
		"cluster.zookeeper.servers: registry zookeeper needs": {"cluster.registry": "zookeeper"},
		"cluster.zookeeper.servers: \"a\" is not host:port":   {"cluster.zookeeper.servers": "a"},
		"cluster.namespace: \"/x\" is not a path":             {"cluster.namespace": "/x"},
		"cluster.session-timeout: 10ms is not between":        {"cluster.session-timeout": "10ms"},
		"cluster.zookeeper.password: set both or none":        {"cluster.zookeeper.user": "u"},
		"cluster.zookeeper.sasl: the ZooKeeper client":        {"cluster.zookeeper.sasl": "kerberos"},
		"cluster.tls.key: set all three or none":              {"cluster.tls.ca": "ca.pem"},
		"cluster.zookeeper.tls-ca: a certificate is named":    {"cluster.zookeeper.tls-cert": "c.pem", "cluster.zookeeper.tls-key": "k.pem"},
		"cluster.advertise: \"host\" is not host:port":        {"cluster.advertise": "host"},
	} {
		_, err := config.Load(config.Source{Flags: flags})
		require.ErrorContains(t, err, want)
	}
}

func TestAProcessAdvertisesAnAddressThatOthersReach(t *testing.T) {
	t.Parallel()
	require.Equal(t, "10.0.0.1:5678", config.Cluster{}.Address("10.0.0.1:5678"))
	require.Equal(t, "m1:1", config.Cluster{Advertise: "m1:1"}.Address("0.0.0.0:5678"))
	for _, all := range []string{":5678", "0.0.0.0:5678", "[::]:5678"} {
		host, port, err := net.SplitHostPort(config.Cluster{}.Address(all))
		require.NoError(t, err)
		require.Equal(t, "5678", port)
		require.NotContains(t, []string{"", "0.0.0.0", "::"}, host)
	}
}
