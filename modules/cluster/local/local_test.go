package local_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"dorado/modules/cluster"
	"dorado/modules/cluster/clustertest"
	"dorado/modules/cluster/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheRegistryOfOneProcessDoesWhatARegistryMust(t *testing.T) {
	t.Parallel()
	clustertest.Run(t, func(testing.TB) clustertest.Backend {
		h := local.NewHub(900 * time.Millisecond)
		return clustertest.Backend{
			Root: "/" + cluster.Namespace,
			Open: func(testing.TB) (cluster.Registry, clustertest.Link) {
				r := h.Registry()
				return r, r
			},
			Put:    func(_ testing.TB, path, value string) { h.Put(path, value) },
			Delete: func(_ testing.TB, path string) { h.Delete(path) },
			Forget: func(testing.TB) { h.Forget() },
		}
	})
}
