package gateway

import (
	"context"
	"slices"
	"strings"

	"dorado/modules/gateway/py4j"
	"dorado/modules/security/environment"
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

// resource finds a file.
func (e *entry) resource(ctx context.Context, fullName string) (Resource, error) {
	if e.Resources != nil {
		r, found, err := e.Resources.Named(program(ctx), fullName)
		if err != nil || found {
			return r, err
		}
	}
	return Resource{}, illegal("Can not find valid resource by name " + fullName)
}

// getResourcesFileInfo takes the name last: some clients send a kind of program before it.
func (e *entry) getResourcesFileInfo(ctx context.Context, a args) (py4j.Value, error) {
	r, err := e.resource(ctx, a.text(len(a)-1))
	if err != nil {
		return py4j.Value{}, err
	}
	return mapOf(pair("id", py4j.OfInt(r.ID)), pair("name", py4j.OfText(r.FullName))), nil
}

func (e *entry) queryResourcesFileInfo(ctx context.Context, a args) (py4j.Value, error) {
	if _, _, err := e.as(ctx, a.text(0)); err != nil {
		return py4j.Value{}, err
	}
	r, err := e.resource(ctx, a.text(1))
	if err != nil {
		return py4j.Value{}, err
	}
	return resourceBean(r), nil
}

// createOrUpdateResource takes user, name and content; older clients send a description before the content.
func (e *entry) createOrUpdateResource(ctx context.Context, a args) (py4j.Value, error) {
	ctx, _, err := e.as(ctx, a.text(0))
	if err != nil {
		return py4j.Value{}, err
	}
	if e.Resources == nil {
		return py4j.Value{}, py4j.NewException(serviceException, "Can not create or update resource "+a.text(1)+": this server keeps no resources")
	}
	r, err := e.Resources.Save(ctx, a.text(1), a.text(len(a)-1))
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
		"getFullName": py4j.OfText(r.FullName), "getFileName": py4j.OfText(r.FileName), "getPfullName": py4j.OfText(parent),
		"getType": enum(spi+"ResourceType", "FILE", 0, "file"), "getSize": py4j.OfLong(r.Size), "isDirectory": py4j.OfBool(r.Directory),
	}))
}
