package config

import (
	"fmt"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// basePath is where DolphinScheduler says which folder of any store is its own.
const basePath = "resource.storage.upload.base.path"

// aliases are names from DolphinScheduler's common.properties that a file may use, too.
func aliases() map[string]string {
	return map[string]string{
		"resource.storage.type":          "storage.type",
		"aws.s3.access.key.id":           "storage.s3.access-key",
		"aws.s3.access.key.secret":       "storage.s3.secret-key",
		"aws.s3.region":                  "storage.s3.region",
		"aws.s3.bucket.name":             "storage.s3.bucket",
		"aws.s3.endpoint":                "storage.s3.endpoint",
		"resource.aws.access.key.id":     "storage.s3.access-key",
		"resource.aws.secret.access.key": "storage.s3.secret-key",
		"resource.aws.region":            "storage.s3.region",
		"resource.aws.s3.bucket.name":    "storage.s3.bucket",
		"resource.aws.s3.endpoint":       "storage.s3.endpoint",
		"resource.hdfs.root.user":        "storage.hdfs.user",
		"resource.hdfs.fs.defaultFS":     "storage.hdfs.default-fs",
	}
}

// translate gives the settings of a file under our names. Naming one thing twice, differently, is an error.
func translate(k *koanf.Koanf) (*koanf.Koanf, error) {
	all := k.All()
	for old, key := range aliases() {
		value, ok := all[old]
		if !ok {
			continue
		}
		if other, twice := all[key]; twice && other != value {
			return nil, fmt.Errorf("%s: %s is also set, to something else", old, key)
		}
		delete(all, old)
		all[key] = value
	}
	if path, ok := all[basePath]; ok {
		delete(all, basePath)
		key := "storage.local.dir"
		switch kind, _ := all["storage.type"].(string); strings.ToLower(kind) {
		case "s3":
			key = "storage.s3.prefix"
		case "hdfs":
			key = "storage.hdfs.base"
		}
		if _, twice := all[key]; !twice {
			all[key] = path
		}
	}
	out := koanf.New(".")
	err := out.Load(confmap.Provider(all, "."), nil)
	return out, err
}
