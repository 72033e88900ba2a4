package s3_test

import (
	"context"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
	"dorado/plugins/storage"
	"dorado/plugins/storage/s3"
	"dorado/plugins/storage/storagetest"
)

// willing answers every request with nothing wrong.
func willing(http.ResponseWriter, *http.Request) {}

func config(endpoint string) s3.Config {
	c := s3.DefaultConfig()
	c.Endpoint, c.Bucket, c.AccessKey, c.SecretKey = endpoint, "logs", "someone", "secret-of-someone"
	return c
}

func open(t *testing.T, c s3.Config) *s3.Store {
	t.Helper()
	s, err := s3.Open(c)
	require.NoError(t, err)
	return s
}

// bucket makes a bucket on a gateway.
func bucket(t *testing.T, endpoint string) s3.Config {
	t.Helper()
	c := config(endpoint)
	c.Bucket = strings.ToLower("logs-" + rand.Text())
	client, err := minio.New(strings.TrimPrefix(endpoint, "http://"), &minio.Options{Creds: credentials.NewStaticV4("someone", "secret-of-someone", "")})
	require.NoError(t, err)
	require.NoError(t, client.MakeBucket(t.Context(), c.Bucket, minio.MakeBucketOptions{}))
	return c
}

// The versity gateway is a server that people run, over files; it checks signatures. CI builds it. (Servers made for
// tests were tried: they take multipart uploads and empty files wrong.)
func TestABucketIsAStore(t *testing.T) {
	t.Parallel()
	endpoint := gateway(t)
	t.Run("store", func(t *testing.T) {
		t.Parallel()
		storagetest.Run(t, func(t *testing.T) storage.Storage {
			t.Helper()
			return open(t, bucket(t, endpoint))
		})
	})
	t.Run("a wrong secret is refused", func(t *testing.T) {
		t.Parallel()
		wrong := config(endpoint)
		wrong.SecretKey = "guessed"
		s := open(t, wrong)
		require.ErrorIs(t, s.Check(t.Context()), storage.ErrRefused)
		require.NoError(t, s.Close())
	})
	t.Run("a missing bucket is told by its name", func(t *testing.T) {
		t.Parallel()
		c := config(endpoint)
		c.Bucket = "another"
		s := open(t, c)
		require.ErrorIs(t, s.Check(t.Context()), storage.ErrRefused)
		require.ErrorContains(t, s.Check(t.Context()), `"another"`)
		require.NoError(t, s.Close())
	})
	t.Run("two folders of one bucket do not meet", func(t *testing.T) {
		t.Parallel()
		one := bucket(t, endpoint)
		two := one
		one.Prefix, two.Prefix = "clusters/one/", "clusters/on"
		a, b := open(t, one), open(t, two)
		_, err := a.Put(t.Context(), "k", strings.NewReader("a"), 1)
		require.NoError(t, err)
		_, err = b.Stat(t.Context(), "k")
		require.ErrorIs(t, err, storage.ErrNotFound)
		for info, err := range b.List(t.Context(), "", true) {
			require.NoError(t, err)
			t.Errorf("%s is listed", info.Key)
		}
		require.NoError(t, errors.Join(a.Close(), b.Close()))
	})
}

// gateway starts a versity gateway and returns its address.
func gateway(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("versitygw")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("CI must have versitygw: .ci/run builds it")
		}
		t.Skip("versitygw is not in PATH; build it with: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
	}
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "buckets"), 0o700))
	port, err := testkit.FreePort(t.Context())
	require.NoError(t, err)
	address := "127.0.0.1:" + strconv.Itoa(port)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "--port", address, "--access", "someone", "--secret", "secret-of-someone",
		"posix", "--sidecar", filepath.Join(dir, "sidecar"), filepath.Join(dir, "buckets"))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sidecar"), 0o700))
	cmd.Dir = dir
	process := testkit.Start(t, cmd)
	testkit.Eventually(t, func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", http.NoBody)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return errors.Join(err, errors.New(process.Output()))
		}
		return answer.Body.Close()
	})
	return "http://" + address
}

func TestAServerIsReachedByTLSSignedByOnesOwn(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(willing))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	c := config(server.URL)
	c.CAFile = file
	s := open(t, c)
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, s.Close())

	c.CAFile = ""
	s = open(t, c)
	require.ErrorIs(t, s.Check(t.Context()), storage.ErrAway, "nobody vouches for it")
	require.NoError(t, s.Close())
	c.CAFile = filepath.Join(t.TempDir(), "none.pem")
	_, err := s3.Open(c)
	require.ErrorContains(t, err, "storage.s3.ca-file")
}

func TestAServerThatIsAwayIsNoMissingFile(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	s := open(t, config(gone.URL))
	require.ErrorIs(t, s.Check(t.Context()), storage.ErrAway)
	_, _, err := s.Get(t.Context(), "k", 0)
	require.ErrorIs(t, err, storage.ErrAway)
	require.NoError(t, s.Close())
}

func TestAConfigurationIsCheckedKeyByKey(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]s3.Config{
		"storage.s3.bucket":     {Region: "r", Style: s3.StyleAuto},
		"storage.s3.region":     {Bucket: "b", Style: s3.StyleAuto},
		"storage.s3.style":      {Bucket: "b", Region: "r", Style: "other"},
		"storage.s3.endpoint":   {Bucket: "b", Region: "r", Style: s3.StyleAuto, Endpoint: "https://host/path"},
		"storage.s3.access-key": {Bucket: "b", Region: "r", Style: s3.StyleAuto, AccessKey: "only"},
		"storage.s3.prefix":     {Bucket: "b", Region: "r", Style: s3.StyleAuto, Prefix: "../up"},
	} {
		require.ErrorContains(t, c.Validate(), want)
	}
	good := config("minio:9000")
	require.NoError(t, good.Validate())
}
