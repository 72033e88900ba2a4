package udf_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/security/crudtest"
	"dorado/modules/udf"
)

type dict = map[string]any

func TestClientsKeepFunctions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := crudtest.NewApp(t, d, udf.Rules())
		m := udf.New(udf.Deps{DB: d, Access: a.Access, Audit: a.Audit, API: a.API})
		admin, gwen := crudtest.REST(t, a, a.Admin, m.API), crudtest.REST(t, a, a.General, m.API)
		body := "type=HIVE&funcName=upper2&className=org.example.Upper&fullName=file:/dolphinscheduler/etl/udfs/a.jar&description=x"
		made := admin("POST", "/resources/udf-func", body)
		require.InDelta(t, 201, made["status"], 0, made)
		data := made["data"].(dict)
		require.Len(t, data, 14)
		require.Equal(t, []any{"upper2", "UDF", "admin"}, []any{data["funcName"], data["resourceType"], data["userName"]})
		key := fmt.Sprintf("%.0f", data["id"])
		for bad, code := range map[string]float64{
			body: 20002, "type=HIVE&funcName=x": 10065, strings.Replace(body, "HIVE", "PIG", 1): 10001,
			strings.Replace(body, "upper2", strings.Repeat("x", 300), 1): 10001, strings.Replace(body, "etl/udfs", "../../etc", 1): 10065,
		} {
			require.InDelta(t, code, admin("POST", "/resources/udf-func", bad)["code"], 0, bad)
		}
		require.InDelta(t, 1, admin("GET", "/resources/udf-func?pageNo=1&pageSize=10&searchVal=upp", "")["data"].(dict)["total"], 0)
		require.Len(t, admin("GET", "/resources/udf-func/list?type=HIVE", "")["data"], 1)
		require.Empty(t, admin("GET", "/resources/udf-func/list?type=SPARK", "")["data"])
		require.InDelta(t, 20002, admin("GET", "/resources/udf-func/verify-name?name=upper2", "")["code"], 0)
		require.InDelta(t, 0, admin("GET", "/resources/udf-func/verify-name?name=new", "")["code"], 0)
		require.InDelta(t, 20004, admin("GET", "/resources/4711/udf-func", "")["code"], 0)
		require.InDelta(t, 20001, admin("DELETE", "/resources/udf-func/4711", "")["code"], 0)

		require.InDelta(t, 30001, gwen("GET", "/resources/"+key+"/udf-func", "")["code"], 0)
		require.Empty(t, gwen("GET", "/resources/udf-func/list?type=HIVE", "")["data"])
		require.NoError(t, a.Access.GrantObjects(t.Context(), a.General.UserID, access.UDF, []string{key}, access.PermRead))
		require.Len(t, gwen("GET", "/resources/udf-func/list?type=HIVE", "")["data"], 1)
		require.InDelta(t, 30001, gwen("PUT", "/resources/udf-func/"+key, body)["code"], 0)
		require.InDelta(t, 30001, gwen("DELETE", "/resources/udf-func/"+key, "")["code"], 0)
		changed := admin("PUT", "/resources/udf-func/"+key, strings.Replace(body, "HIVE", "SPARK", 1))
		require.InDelta(t, 201, changed["status"], 0)
		require.InDelta(t, 0, admin("DELETE", "/resources/udf-func/"+key, "")["code"], 0)
	})
}
