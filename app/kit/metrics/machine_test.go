package metrics_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/metrics"
)

func TestAMachineTellsItsUseAsShares(t *testing.T) {
	t.Parallel()
	m := metrics.NewMachine(t.TempDir())
	u := m.Read()
	for name, v := range map[string]float64{"memory": u.Memory, "disk": u.Disk} {
		require.Greater(t, v, 0.0, name)
		require.LessOrEqual(t, v, 1.0, name)
	}
	require.Greater(t, u.OwnMemory, 0.0)
	require.Less(t, u.OwnMemory, 1.0)
	require.Greater(t, u.Available, float64(1<<20))
	require.Equal(t, u, m.Read(), "a second reading within a second is the first one")

	r := metrics.New()
	m.Register(r, "master")
	families, err := r.Gather()
	require.NoError(t, err)
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	require.Subset(t, names, []string{"ds_master_cpu_usage", "ds_master_memory_usage", "ds_master_memory_available"})
}
