package flow_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
)

func TestNamesOfFilesAreUnderstoodInEverySpelling(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"file:/dolphinscheduler/etl/resources/a/b.sh":             {"etl", "a/b.sh"},
		"hdfs://cluster:8020/dolphinscheduler/etl/resources/b.sh": {"etl", "b.sh"},
		"dolphinscheduler/etl/resources/a.sh":                     {"etl", "a.sh"},
		"/etl/resources/a.sh":                                     {"etl", "a.sh"},
		"etl/resources/a/resources/b.sh":                          {"etl", "a/resources/b.sh"},
		"/a/b.sh":                                                 {"", "a/b.sh"},
		"a.sh":                                                    {"", "a.sh"},
		"file:/a.sh":                                              {"", "a.sh"},
		"s3a://bucket/a.sh":                                       {"", "a.sh"},
		"/resources/a.sh":                                         {"", "resources/a.sh"},
		"":                                                        {"", ""},
	} {
		tenant, path := flow.ParseResource(name)
		require.Equal(t, want, [2]string{tenant, path}, name)
	}
	require.Equal(t, "etl/a.sh", flow.ResourceName("etl", "a.sh"))
	require.Equal(t, "*/a.sh", flow.ResourceName("", "a.sh"))
}

func TestNamesOfFilesAreFoundAtEveryDepthOfSettings(t *testing.T) {
	t.Parallel()
	params := json.RawMessage(`{"resourceList":[{"resourceName":"a"},{"resourceName":"b"},{"resourceName":""}],"mainJar":{"resourceName":"c"},"x":[{"y":{"resourceName":"a"}}]}`)
	require.ElementsMatch(t, []string{"a", "b", "c"}, flow.ResourceNames(params))
	require.Empty(t, flow.ResourceNames(json.RawMessage(`{"rawScript":"\"resourceName\""}`)))
	require.Empty(t, flow.ResourceNames(json.RawMessage(`{"resourceName":`)))
}
