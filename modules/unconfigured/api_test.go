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
		"/data-quality/getRuleFormCreateJson?ruleId=1": 1200012, "/data-quality/getRuleFormCreateJson?ruleId=x": 1200012,
		"/data-quality/rule/page?pageNo=1&pageSize=10": 1200013, "/data-quality/rule/page?pageNo=0&pageSize=10": 10001, "/data-quality/ruleList": 1200014,
		"/data-quality/result/page?pageNo=1&pageSize=10&state=1": 1200016, "/data-quality/result/page?pageNo=1&pageSize=10&startDate=x": 1200016,
	} {
		answer := call("GET", target, "")
		require.InDelta(t, code, answer["code"], 0, target)
		require.InDelta(t, 200, answer["status"], 0, target)
		require.Nil(t, answer["data"])
	}
	require.Contains(t, call("GET", "/data-quality/ruleList", "")["msg"], "not")
	require.ErrorIs(t, a.Access.Require(t.Context(), unconfigured.View), access.ErrUnauthenticated)
}
