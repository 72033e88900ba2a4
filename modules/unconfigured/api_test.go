package unconfigured_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/security/crudtest"
	"dorado/modules/unconfigured"
)

func TestWhatIsNotThereAnswersLikeWhatIsNotSetUp(t *testing.T) {
	t.Parallel()
	a := crudtest.NewApp(t, dbtest.SQLite(t), unconfigured.Rules())
	m := unconfigured.New(a.Access, a.API)
	call := crudtest.REST(t, a, a.General, m.API)
	for target, code := range map[string]float64{
		"/cloud/azure/datafactory/factories": 10208, "/cloud/azure/datafactory/resourceGroups": 10209,
		"/cloud/azure/datafactory/pipelines?factoryName=f&resourceGroupName=r": 10210, "/cloud/azure/datafactory/pipelines": 10210,
	} {
		answer := call("GET", target, "")
		require.InDelta(t, code, answer["code"], 0, target)
		require.InDelta(t, 200, answer["status"], 0, target)
		require.Nil(t, answer["data"])
	}
	require.Contains(t, call("GET", "/cloud/azure/datafactory/factories", "")["msg"], "not")
	require.ErrorIs(t, a.Access.Require(t.Context(), unconfigured.View), access.ErrUnauthenticated)
}
