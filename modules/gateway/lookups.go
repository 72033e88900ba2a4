package gateway

import (
	"context"
	"slices"
	"strings"

	"dorado/modules/gateway/py4j"
	"dorado/modules/security/environment"
	"dorado/modules/security/tenant"
)

// datasource finds the connection that a task names. A type is needed when several have the name.
func (e *entry) datasource(ctx context.Context, name, kind string) (Datasource, error) {
	var found []Datasource
	if e.Datasources != nil {
		var err error
		if found, err = e.Datasources.Named(program(ctx), name); err != nil {
			return Datasource{}, err
		}
	}
	if kind != "" {
		found = slices.DeleteFunc(found, func(d Datasource) bool { return !strings.EqualFold(d.Type, kind) })
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Datasource{}, illegal("Get more than one datasource by name " + name)
	case kind != "":
		return Datasource{}, illegal("Can not find any datasource by name " + name + " and type " + kind)
	}
	return Datasource{}, illegal("Can not find any datasource by name " + name)
}

func (e *entry) getDatasource(ctx context.Context, a args) (py4j.Value, error) {
	d, err := e.datasource(ctx, a.text(0), a.text(1))
	if err != nil {
		return py4j.Value{}, err
	}
	return py4j.OfObject(py4j.NewBean(dao+"DataSource", "DataSource(name="+d.Name+")", map[string]py4j.Value{
		"getId": py4j.OfInt(d.ID), "getName": py4j.OfText(d.Name), "getNote": py4j.OfOptional(d.Note), "getUserId": py4j.OfInt(d.UserID),
		"getType": enum(spi+"DbType", d.Type, typeCode(d.Type), strings.ToLower(d.Type)), "getConnectionParams": py4j.OfText(d.Params),
	})), nil
}

// types are the kinds of data sources in the order of DolphinScheduler's numbers.
var types = []string{
	"MYSQL", "POSTGRESQL", "HIVE", "SPARK", "CLICKHOUSE", "ORACLE", "SQLSERVER", "DB2", "PRESTO", "H2", "REDSHIFT", "ATHENA", "TRINO",
	"STARROCKS", "AZURESQL", "DAMENG", "OCEANBASE", "SSH", "KYUUBI", "DATABEND", "SNOWFLAKE", "VERTICA", "HANA", "DORIS", "ZEPPELIN", "SAGEMAKER",
}

func typeCode(name string) int64 { return int64(slices.Index(types, name)) }

func (e *entry) getDatasourceInfo(ctx context.Context, a args) (py4j.Value, error) {
	d, err := e.datasource(ctx, a.text(0), "")
	if err != nil {
		return py4j.Value{}, err
	}
	return mapOf(pair("id", py4j.OfInt(d.ID)), pair("type", py4j.OfText(d.Type)), pair("name", py4j.OfText(d.Name))), nil
}

func (e *entry) getEnvironmentInfo(ctx context.Context, a args) (py4j.Value, error) {
	all, err := e.Environments.All(program(ctx))
	if err != nil {
		return py4j.Value{}, err
	}
	at := slices.IndexFunc(all, func(x environment.Environment) bool { return x.Name == a.text(0) })
	if at < 0 {
		return py4j.Value{}, illegal("Can not find valid environment by name " + a.text(0))
	}
	return py4j.OfLong(all[at].Code), nil
}

// resource finds a file. A name that is not absolute is looked for below the folders of the tenants, in this order.
func (e *entry) resource(ctx context.Context, name string, tenants ...string) (py4j.Value, error) {
	if e.Resources != nil {
		for _, t := range tenants {
			r, found, err := e.Resources.Named(program(ctx), name, t)
			if err != nil {
				return py4j.Value{}, err
			}
			if found {
				e.given.note(r.ID, r.FullName)
				return resourceBean(r), nil
			}
		}
	}
	return py4j.Value{}, illegal("Can not find valid resource by name " + name)
}

// getResourcesFileInfo takes the name last: some clients send a kind of program before it. It names no user.
func (e *entry) getResourcesFileInfo(ctx context.Context, a args) (py4j.Value, error) {
	all, err := e.Tenants.All(program(ctx))
	if err != nil {
		return py4j.Value{}, err
	}
	tenants := []string{tenant.Default}
	for _, t := range all {
		tenants = append(tenants, t.Code)
	}
	found, err := e.resource(ctx, a.text(len(a)-1), tenants...)
	if err != nil {
		return py4j.Value{}, err
	}
	get := func(getter string) py4j.Value {
		v, _ := found.Object.Call(ctx, getter, nil) // a bean's own getters do not fail
		return v
	}
	return mapOf(pair("id", get("getId")), pair("name", get("getFullName"))), nil
}

func (e *entry) queryResourcesFileInfo(ctx context.Context, a args) (py4j.Value, error) {
	_, u, err := e.as(ctx, a.text(0))
	if err != nil {
		return py4j.Value{}, err
	}
	t, err := e.tenantOf(ctx, u)
	if err != nil {
		return py4j.Value{}, err
	}
	return e.resource(ctx, a.text(1), t.Code)
}

// createOrUpdateResource takes user, name and content; older clients send a description before the content.
func (e *entry) createOrUpdateResource(ctx context.Context, a args) (py4j.Value, error) {
	ctx, u, err := e.as(ctx, a.text(0))
	if err != nil {
		return py4j.Value{}, err
	}
	if e.Resources == nil {
		return py4j.Value{}, py4j.NewException(serviceException, "Can not create or update resource "+a.text(1)+": this server keeps no resources")
	}
	t, err := e.tenantOf(ctx, u)
	if err != nil {
		return py4j.Value{}, err
	}
	r, err := e.Resources.Save(ctx, a.text(1), t.Code, a.text(len(a)-1))
	if err != nil {
		return py4j.Value{}, err
	}
	return resourceBean(r), nil
}

func resourceBean(r Resource) py4j.Value {
	parent := r.FullName
	if at := strings.LastIndexByte(parent, '/'); at > 0 {
		parent = parent[:at]
	}
	return py4j.OfObject(py4j.NewBean(storages+"StorageEntity", "StorageEntity(fullName="+r.FullName+")", map[string]py4j.Value{
		"getId": py4j.OfInt(r.ID), "getFullName": py4j.OfText(r.FullName), "getFileName": py4j.OfText(r.FileName), "getPfullName": py4j.OfText(parent),
		"getType": enum(spi+"ResourceType", "FILE", 0, "file"), "getSize": py4j.OfLong(r.Size), "isDirectory": py4j.OfBool(r.Directory),
	}))
}
