package flow

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// resourcesFolder is the folder of a tenant that holds its files, in every store of DolphinScheduler.
const resourcesFolder = "/resources/"

// ParseResource reads the name of a file in the resource center as definitions hold it, in any spelling of DolphinScheduler:
//
//	file:/dolphinscheduler/etl/resources/a/b.sh     local storage
//	hdfs://cluster:8020/dolphinscheduler/etl/resources/a/b.sh
//	dolphinscheduler/etl/resources/a/b.sh           object stores
//	/etl/resources/a/b.sh                           without a base folder
//	a/b.sh, /a/b.sh                                 in the tree of whoever's tenant it is: tenant is ""
//
// path has no slash at either end.
func ParseResource(name string) (tenant, path string) {
	if before, after, ok := strings.Cut(name, resourcesFolder); ok {
		owner := before[strings.LastIndexByte(before, '/')+1:]
		if owner != "" && !strings.Contains(owner, ":") {
			return owner, strings.Trim(after, "/")
		}
	}
	if scheme, rest, ok := strings.Cut(name, ":"); ok && !strings.Contains(scheme, "/") {
		name = rest
		if host, ok := strings.CutPrefix(rest, "//"); ok {
			_, name, _ = strings.Cut(host, "/")
		}
	}
	return "", strings.Trim(name, "/")
}

// AnyTenant stands for the tenant in names that tell none.
const AnyTenant = "*"

// ResourceName is the name of a file by which references are compared, whatever store it lies in.
func ResourceName(tenant, path string) string {
	if tenant == "" {
		tenant = AnyTenant
	}
	return tenant + "/" + path
}

// ResourceNames lists the files that the settings of a task name, as they are written there: every "resourceName" at
// whatever depth, each once. Settings that are no JSON name none.
func ResourceNames(params json.RawMessage) []string {
	if !bytes.Contains(params, []byte(`"resourceName"`)) {
		return nil
	}
	var value any
	if json.Unmarshal(params, &value) != nil {
		return nil
	}
	var names []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			if name, ok := v["resourceName"].(string); ok && strings.TrimSpace(name) != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(v[key])
			}
		}
	}
	walk(value)
	return names
}
