package gateway

import (
	"dorado/modules/gateway/py4j"
	"dorado/modules/identity"
	"dorado/modules/project"
	"dorado/modules/security/tenant"
)

// The classes of what is returned, as getClass tells them.
const (
	dao      = "org.apache.dolphinscheduler.dao.entity."
	api      = "org.apache.dolphinscheduler.api.enums."
	spi      = "org.apache.dolphinscheduler.spi.enums."
	storages = "org.apache.dolphinscheduler.plugin.storage.api."
)

// noRow is the id of the tenant that has no row.
const noRow = -1

func tenantBean(t tenant.Tenant) py4j.Value {
	return py4j.OfObject(py4j.NewBean(dao+"Tenant", "Tenant(tenantCode="+t.Code+")", map[string]py4j.Value{
		"getId": py4j.OfInt(t.ID), "getTenantCode": py4j.OfText(t.Code), "getDescription": py4j.OfOptional(t.Description),
		"getQueueId": py4j.OfInt(t.QueueID), "getQueueName": py4j.OfOptional(t.QueueName), "getQueue": py4j.OfOptional(t.QueueName),
	}))
}

// userBean never tells a password: none is known.
func userBean(u identity.User, of tenant.Tenant) py4j.Value {
	kind, state, queue := int64(1), int64(0), u.Queue
	if u.Admin() {
		kind = 0
	}
	if u.Enabled {
		state = 1
	}
	if queue == "" {
		queue = of.QueueName
	}
	return py4j.OfObject(py4j.NewBean(dao+"User", "User(userName="+u.Name+")", map[string]py4j.Value{
		"getId": py4j.OfInt(u.ID), "getUserName": py4j.OfText(u.Name), "getUserPassword": py4j.OfNull(), "getEmail": py4j.OfText(u.Email),
		"getPhone": py4j.OfText(u.Phone), "getTenantId": py4j.OfInt(of.ID), "getTenantCode": py4j.OfText(of.Code),
		"getQueueName": py4j.OfOptional(queue), "getQueue": py4j.OfOptional(queue), "getState": py4j.OfInt(state),
		"getUserType": enum(dao+"UserType", string(u.Type), kind, ""),
	}))
}

func projectBean(p project.Project) py4j.Value {
	return py4j.OfObject(py4j.NewBean(dao+"Project", "Project(name="+p.Name+")", map[string]py4j.Value{
		"getId": py4j.OfInt(p.ID), "getCode": py4j.OfLong(p.Code), "getName": py4j.OfText(p.Name),
		"getDescription": py4j.OfOptional(p.Description), "getUserId": py4j.OfInt(p.OwnerID),
	}))
}

// enum is a constant of a Java enumeration.
func enum(class, name string, code int64, description string) py4j.Value {
	return py4j.OfObject(py4j.NewBean(class, name, map[string]py4j.Value{
		"name": py4j.OfText(name), "getCode": py4j.OfInt(code), "getDescp": py4j.OfText(description), "getMsg": py4j.OfText(description),
	}))
}

func pair(key string, v py4j.Value) py4j.Pair { return py4j.Pair{Key: key, Value: v} }

func mapOf(pairs ...py4j.Pair) py4j.Value { return py4j.OfObject(py4j.NewMap(pairs...)) }
